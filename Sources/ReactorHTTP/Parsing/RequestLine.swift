/// Reads `method SP request-target SP HTTP-version CRLF` (RFC 9112, 3), and empty lines before it
/// (2.2).
struct RequestLine: Sendable {
  private enum Part { case emptyLines, method, target, version, lineFeed, complete }

  /// Longer methods get a 501. The longest method in the IANA registry has 17 bytes.
  private static let methodByteCountLimit = 32

  private var part = Part.emptyLines
  /// The bytes before this index have been read.
  private(set) var position = 0
  private var methodStart = 0
  private var targetStart = 0
  private var versionStart = 0
  private var dot: Int?
  private(set) var minorVersion = 1
  /// The method of a complete line.
  private(set) var method = HTTPMethod.get
  private(set) var target: RequestTarget?

  var hasBegun: Bool { part != .emptyLines }
  var isComplete: Bool { part == .complete }

  /// Continues where the last call stopped.
  ///
  /// - Returns: Whether the line is complete; if not, all of `bytes` has been read.
  mutating func parse(_ bytes: Span<UInt8>) throws(RequestError) -> Bool {
    if part == .emptyLines { guard try skipEmptyLines(bytes) else { return false } }
    if part == .method { guard try scanMethod(bytes) else { return false } }
    if part == .target { guard try scanTarget(bytes) else { return false } }
    if part == .version { guard try scanVersion(bytes) else { return false } }
    guard position < bytes.count else { return false }
    guard bytes[position] == .lineFeed else { throw .bareCarriageReturn }
    try checkVersion(bytes)
    method = HTTPMethod(bytes.extracting(methodStart..<targetStart - 1))
    target = try RequestTarget(bytes.extracting(targetStart..<versionStart - 1), method: method)
    position += 1
    part = .complete
    return true
  }

  private mutating func skipEmptyLines(_ bytes: Span<UInt8>) throws(RequestError) -> Bool {
    while position < bytes.count, bytes[position] == .carriageReturn {
      guard position + 1 < bytes.count else { return false }
      guard bytes[position + 1] == .lineFeed else { throw .bareCarriageReturn }
      position += 2
    }
    guard position < bytes.count else { return false }
    methodStart = position
    part = .method
    return true
  }

  private mutating func scanMethod(_ bytes: Span<UInt8>) throws(RequestError) -> Bool {
    let end = bytes.firstIndex(from: position) { !$0.isInTokens }
    position = end ?? bytes.count
    guard position - methodStart <= Self.methodByteCountLimit else {
      throw RequestError(.notImplemented, "The method is too long.")
    }
    guard let end else { return false }
    guard bytes[end] == .space, end > methodStart else {
      throw .bad("The request does not begin with a method and a space.")
    }
    position = end + 1
    targetStart = position
    part = .target
    return true
  }

  private mutating func scanTarget(_ bytes: Span<UInt8>) throws(RequestError) -> Bool {
    let end = bytes.firstIndex(from: position, below: 0x21) { !$0.isInTargets }
    position = end ?? bytes.count
    guard let end else { return false }
    guard bytes[end] == .space, end > targetStart else {
      throw .bad("The request line is not a method, a target and a version.")
    }
    position = end + 1
    versionStart = position
    part = .version
    return true
  }

  /// Reads `HTTP/` DIGIT+ `.` DIGIT+, and the carriage return after it.
  private mutating func scanVersion(_ bytes: Span<UInt8>) throws(RequestError) -> Bool {
    while position < bytes.count {
      let byte = bytes[position]
      let majorStart = versionStart + Self.name.count
      if position < majorStart {
        guard byte == Self.name[position - versionStart] else { throw Self.noVersion }
      } else if byte == UInt8(ascii: "."), dot == nil, position > majorStart {
        dot = position
      } else if byte == .carriageReturn, let dot, position > dot + 1 {
        position += 1
        part = .lineFeed
        return true
      } else if !byte.isDigit {
        throw Self.noVersion
      }
      position += 1
    }
    return false
  }

  private static let name: InlineArray<5, UInt8> = [0x48, 0x54, 0x54, 0x50, 0x2f]  // HTTP/
  private static let noVersion = RequestError.bad(
    "The request line does not end with an HTTP version.")

  /// - Precondition: `position` is the index of the line feed.
  private mutating func checkVersion(_ bytes: Span<UInt8>) throws(RequestError) {
    let digits = versionStart + Self.name.count
    guard position - digits == 4, bytes[digits] == UInt8(ascii: "1"), dot == digits + 1,
      bytes[digits + 2] <= UInt8(ascii: "1")
    else {
      throw RequestError(.httpVersionNotSupported, "Only HTTP/1.1 and HTTP/1.0 are supported.")
    }
    minorVersion = Int(bytes[digits + 2] - UInt8(ascii: "0"))
  }
}
