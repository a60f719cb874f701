/// Extracts the content of a request body from its framing (RFC 9112, 6 and 7.1).
struct BodyDecoder: Sendable {
  /// The result of one call of ``decode(_:)``.
  struct Step: Sendable, Equatable {
    /// The number of bytes from the start that are consumed.
    let consumedByteCount: Int
    /// The range of content, within the consumed bytes; empty if there is none.
    let content: Range<Int>
  }

  private let framing: BodyFraming
  /// The content still to come: of the body if it has a length, or of the current chunk.
  private var remaining: Int64
  private var part: Part
  private var chunkLine = ChunkLine()
  private var trailer: FieldSection
  private let trailerByteCountLimit: Int

  private enum Part { case chunkLine, content, contentEnd, lineFeed, trailer, complete }

  /// The field lines after a chunked body, once it is complete. They must not be treated as header
  /// fields: code that relies on a field has checked the header (RFC 9110, 6.5.1).
  private(set) var trailerFields = HeaderFields()

  /// - Parameter trailerLimits: The limits of the trailer section alone.
  init(_ framing: BodyFraming, trailerLimits: HeadLimits) {
    self.framing = framing
    trailer = FieldSection(fieldCountLimit: trailerLimits.fieldCount)
    trailerByteCountLimit = trailerLimits.headByteCount
    switch framing {
    case .none: (remaining, part) = (0, .complete)
    case .length(let length): (remaining, part) = (length, length == 0 ? .complete : .content)
    case .chunked: (remaining, part) = (0, .chunkLine)
    }
  }

  /// Whether the whole body is decoded. The next request follows.
  var isComplete: Bool { part == .complete }

  /// The content still to come, in bytes, if there is a `Content-Length`; otherwise nil.
  var remainingContentLength: Int64? {
    if case .length = framing { remaining } else { nil }
  }

  /// The content that must still come, in bytes: of the body if it has a `Content-Length`,
  /// otherwise of the current chunk.
  var announcedByteCount: Int64 { remaining }

  /// Decodes the available framing up to the end of one range of content.
  ///
  /// A step ends after the content that it found; the next step handles the framing after it. The
  /// bytes of a trailer section, at most as many as its limit, are not consumed before the section
  /// is complete.
  ///
  /// - Parameter bytes: The unconsumed bytes, and any bytes that arrived after them.
  /// - Returns: The step. If it has neither consumed bytes nor content, the decoder needs more
  ///   bytes, or the body is complete.
  /// - Throws: The reason why the body is refused. The decoder must not be used afterwards.
  mutating func decode(_ bytes: RawSpan) throws(RequestError) -> Step {
    let bytes = Span<UInt8>(_bytes: bytes)
    var position = 0
    while position < bytes.count {
      switch part {
      case .chunkLine:
        guard let size = try chunkLine.parse(bytes, &position) else { break }
        remaining = size
        part = size == 0 ? .trailer : .content
      case .content:
        let length = Int(min(remaining, Int64(bytes.count - position)))
        remaining -= Int64(length)
        if remaining == 0 { part = framing == .chunked ? .contentEnd : .complete }
        let end = position + length
        return Step(consumedByteCount: end, content: position..<end)
      case .contentEnd:
        guard bytes[position] == .carriageReturn else {
          throw .bad("A chunk is longer than its size.")
        }
        position += 1
        part = .lineFeed
      case .lineFeed:
        guard bytes[position] == .lineFeed else { throw .bareCarriageReturn }
        position += 1
        part = .chunkLine
      case .trailer:
        guard try readTrailer(bytes, &position) else {
          return Step(consumedByteCount: position, content: position..<position)
        }
      case .complete:
        return Step(consumedByteCount: position, content: position..<position)
      }
    }
    return Step(consumedByteCount: position, content: position..<position)
  }

  /// - Parameter position: The start of the trailer section; set to its end once it is complete.
  /// - Returns: Whether the section is complete.
  private mutating func readTrailer(
    _ bytes: Span<UInt8>, _ position: inout Int
  ) throws(RequestError) -> Bool {
    let section = bytes.extracting(position..<bytes.count)
      .extracting(first: trailerByteCountLimit)
    guard try trailer.parse(section) else {
      guard section.count < trailerByteCountLimit else {
        throw RequestError(.requestHeaderFieldsTooLarge, "The trailer is too long.")
      }
      return false
    }
    for line in trailer.lines where isForbiddenInTrailers(section.extracting(line.name)) {
      throw .bad("The trailer has a field that only a header may have.")
    }
    position += trailer.position
    trailerFields = trailer.takeFields(section)
    part = .complete
    return true
  }
}

/// Whether a field frames or routes the message, and must not be in a trailer (RFC 9110, 6.5.1). A
/// recipient may drop such fields. No honest client sends them, and they could mislead code that
/// merges trailers into the header, so they are refused.
private func isForbiddenInTrailers(_ name: Span<UInt8>) -> Bool {
  name.equalsIgnoringCase(Keyword.contentLength)
    || name.equalsIgnoringCase(Keyword.transferEncoding)
    || name.equalsIgnoringCase(Keyword.host)
}
