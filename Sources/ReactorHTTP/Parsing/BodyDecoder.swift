/// Takes the content of a request's body out of its framing (RFC 9112, 6 and 7.1).
struct BodyDecoder: Sendable {
  /// What one call of ``decode(_:)`` has done.
  struct Step: Sendable, Equatable {
    /// How many bytes from the start are done with.
    let consumedByteCount: Int
    /// Where content lies in the bytes, within those that are consumed; empty if there is none.
    let content: Range<Int>
  }

  private let framing: BodyFraming
  /// Content that is still to come: of the body by its length, or of the chunk.
  private var remaining: Int64
  private var part: Part
  private var chunkLine = ChunkLine()
  private var trailer: FieldSection
  private let trailerByteCountLimit: Int

  private enum Part { case chunkLine, content, contentEnd, lineFeed, trailer, complete }

  /// The field lines after a chunked body, once it is complete. They are not to be taken for
  /// header fields: whoever relies on a field has checked the header (RFC 9110, 6.5.1).
  private(set) var trailerFields = HeaderFields()

  /// - Parameter trailerLimits: Of the trailer section by itself.
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

  /// Whether all of the body has been decoded. The next request follows.
  var isComplete: Bool { part == .complete }

  /// The content still to come, in bytes, where a `Content-Length` tells; otherwise nil.
  var remainingContentLength: Int64? {
    if case .length = framing { remaining } else { nil }
  }

  /// The content that is sure to come, in bytes: of the body where a `Content-Length` tells, else
  /// of the present chunk.
  var announcedByteCount: Int64 { remaining }

  /// Decodes as much as there is of framing and of one stretch of content.
  ///
  /// A step ends with the content that it found; what frames it afterwards is for the next one.
  /// Until a trailer section is complete its bytes are not consumed, at most as many as its limit.
  ///
  /// - Parameter bytes: What is not consumed yet, and any bytes that came after it.
  /// - Returns: What was found. Neither bytes consumed nor content: more bytes are needed, or the
  ///   body is complete.
  /// - Throws: Why the body is refused. The decoder is of no use afterwards.
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

  /// - Parameter position: Where the trailer section begins; where it ends, once it is complete.
  /// - Returns: Whether it is.
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

/// What frames or routes a message must not come in a trailer (RFC 9110, 6.5.1). A recipient may
/// drop such fields; but no honest client sends them, and whoever merges trailers could be misled.
private func isForbiddenInTrailers(_ name: Span<UInt8>) -> Bool {
  name.equalsIgnoringCase(Keyword.contentLength)
    || name.equalsIgnoringCase(Keyword.transferEncoding)
    || name.equalsIgnoringCase(Keyword.host)
}
