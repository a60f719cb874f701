internal import PosixAIO

/// Reads the heads of the requests of one connection, one after another (RFC 9112).
///
/// Strict: what could be read in two ways is refused. Errors of syntax are thrown at the byte that
/// makes them certain, errors of meaning at the end of the request line and of the head; which one
/// it is does not depend on the pieces that the bytes come in.
struct HeadParser: Sendable {
  private let limits: HeadLimits
  private var requestLine = RequestLine()
  private var fieldSection: FieldSection

  init(_ limits: HeadLimits) {
    self.limits = limits
    fieldSection = FieldSection(fieldCountLimit: limits.fieldCount)
  }

  /// Whether a byte of a request has been seen. Empty lines before a request do not count.
  var hasBegun: Bool { requestLine.hasBegun }

  /// How many bytes of the request have been looked at, and are not looked at again.
  var position: Int { requestLine.isComplete ? fieldSection.position : requestLine.position }

  /// Looks for a whole head at the start of `bytes`.
  ///
  /// - Parameter bytes: What is not consumed yet: at a next call the same bytes, and any that came
  ///   after them. The caller drops ``RequestHead/byteCount`` of them once it has the head.
  /// - Returns: The head; nil if more bytes are needed. The parser is then ready for the next one.
  /// - Throws: Why the request is refused. The parser is of no use afterwards.
  mutating func parse(_ bytes: RawSpan) throws(RequestError) -> RequestHead? {
    let bytes = Span<UInt8>(_bytes: bytes).extracting(first: limits.headByteCount)
    require(bytes.count >= position, "HeadParser: bytes that were not consumed are gone")
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

  /// - Parameter byteCount: Of these there is no whole head.
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
