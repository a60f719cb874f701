internal import PosixAIO

/// Reads the heads of the requests of one connection, one after another (RFC 9112).
///
/// The parser is strict: it refuses input with two possible readings. It throws a syntax error at
/// the byte that makes the error certain, and an error of meaning at the end of the request line or
/// of the head. How the bytes are split into pieces does not change the error.
struct HeadParser: Sendable {
  private let limits: HeadLimits
  private var requestLine = RequestLine()
  private var fieldSection: FieldSection

  init(_ limits: HeadLimits) {
    self.limits = limits
    fieldSection = FieldSection(fieldCountLimit: limits.fieldCount)
  }

  /// Whether a byte of a request has been read. Empty lines before a request do not count.
  var hasBegun: Bool { requestLine.hasBegun }

  /// The number of bytes of the request that have been read, and are not read again.
  var position: Int { requestLine.isComplete ? fieldSection.position : requestLine.position }

  /// Parses a whole head at the start of `bytes`.
  ///
  /// - Parameter bytes: The unconsumed bytes. A further call must pass the same bytes, and any that
  ///   arrived after them. Once the caller has the head, it drops ``RequestHead/byteCount`` bytes.
  /// - Returns: The head, after which the parser is ready for the next one; nil if more bytes are
  ///   needed.
  /// - Throws: The reason why the request is refused. The parser must not be used afterwards.
  mutating func parse(_ bytes: RawSpan) throws(RequestError) -> RequestHead? {
    let bytes = Span<UInt8>(_bytes: bytes).extracting(first: limits.headByteCount)
    require(bytes.count >= position, "HeadParser: unconsumed bytes are missing")
    if !requestLine.isComplete {
      guard try requestLine.parse(bytes) else { return try needMore(bytes.count) }
      fieldSection.begin(at: requestLine.position)
    }
    guard try fieldSection.parse(bytes), let target = requestLine.target else {
      return try needMore(bytes.count)
    }
    let head = try makeHead(target, bytes)
    requestLine = RequestLine()
    fieldSection = FieldSection(fieldCountLimit: limits.fieldCount)
    return head
  }

  /// - Parameter byteCount: The number of available bytes, which contain no whole head.
  private func needMore(_ byteCount: Int) throws(RequestError) -> RequestHead? {
    guard byteCount >= limits.headByteCount else { return nil }
    if requestLine.isComplete {
      throw RequestError(.requestHeaderFieldsTooLarge, "The header is too long.")
    }
    throw requestLine.hasBegun
      ? RequestError(.uriTooLong, "The request line is too long.")
      : .bad("There are too many empty lines before the request.")
  }

  private mutating func makeHead(
    _ target: RequestTarget, _ bytes: Span<UInt8>
  ) throws(RequestError) -> RequestHead {
    var control = ControlFields(minorVersion: requestLine.minorVersion)
    let section = bytes.extracting(fieldSection.start..<fieldSection.end)
    for line in fieldSection.lines {
      try control.read(section.extracting(line.name), section.extracting(line.value))
    }
    try control.checkHost()
    let framing = try control.framing()
    return RequestHead(
      method: requestLine.method, target: target, minorVersion: requestLine.minorVersion,
      headerFields: fieldSection.takeFields(bytes),
      framing: framing, keepsAlive: control.keepsAlive,
      expectsContinue: control.expectsContinue && !framing.isEmpty, byteCount: position)
  }
}
