/// The meaning of the fields of a head for the message and its connection.
struct ControlFields {
  private let minorVersion: Int
  private var hostCount = 0
  private var contentLength: Int64?
  private var hasTransferEncoding = false
  private var chunkedCount = 0
  private var otherCodingCount = 0
  private var isChunkedLast = false
  private var hasClose = false
  private var hasKeepAlive = false
  private(set) var expectsContinue = false

  init(minorVersion: Int) {
    self.minorVersion = minorVersion
  }

  /// Whether the connection persists (RFC 9112, 9.3).
  var keepsAlive: Bool { !hasClose && (minorVersion == 1 || hasKeepAlive) }

  /// Reads a field line; most of them have no effect.
  mutating func read(_ name: Span<UInt8>, _ value: Span<UInt8>) throws(RequestError) {
    switch name.count {
    case 4 where name.equalsIgnoringCase(Keyword.host): try readHost(value)
    case 6 where name.equalsIgnoringCase(Keyword.expect): try readExpect(value)
    case 10 where name.equalsIgnoringCase(Keyword.connection): try readConnection(value)
    case 14 where name.equalsIgnoringCase(Keyword.contentLength): try readContentLength(value)
    case 17 where name.equalsIgnoringCase(Keyword.transferEncoding):
      try readTransferEncoding(value)
    default: break
    }
  }

  /// Checks the number of `Host` fields (RFC 9112, 3.2).
  func checkHost() throws(RequestError) {
    guard hostCount == 1 || minorVersion == 0 && hostCount == 0 else {
      throw .bad(
        hostCount == 0 ? "The header has no Host." : "The header has more than one Host.")
    }
  }

  /// Decides the framing of the body (RFC 9112, 6.3).
  func framing() throws(RequestError) -> BodyFraming {
    guard hasTransferEncoding else { return contentLength.map { .length($0) } ?? .none }
    guard minorVersion == 1 else { throw .bad("HTTP/1.0 has no Transfer-Encoding.") }
    guard contentLength == nil else {
      throw .bad("The header has both Content-Length and Transfer-Encoding.")
    }
    guard isChunkedLast, chunkedCount == 1 else {
      throw .bad("The Transfer-Encoding must end with chunked, once.")
    }
    guard otherCodingCount == 0 else {
      throw RequestError(.notImplemented, "The only supported transfer coding is chunked.")
    }
    return .chunked
  }

  private mutating func readHost(_ value: Span<UInt8>) throws(RequestError) {
    hostCount += 1
    guard Authority(value) != nil else { throw .bad("The Host is malformed.") }
  }

  private mutating func readContentLength(_ value: Span<UInt8>) throws(RequestError) {
    guard contentLength == nil else { throw .bad("The header has more than one Content-Length.") }
    guard !value.isEmpty, value.firstIndex(where: { !$0.isDigit }) == nil else {
      throw .bad("The Content-Length is not a number.")
    }
    guard let number = decimalNumber(value) else {
      throw RequestError(.contentTooLarge, "The Content-Length is too large.")
    }
    contentLength = number
  }

  /// Several lines form one list. Lists may have empty elements, but this one is refused then.
  private mutating func readTransferEncoding(_ value: Span<UInt8>) throws(RequestError) {
    hasTransferEncoding = true
    try value.forEachElement { element throws(RequestError) in
      let coding = value.extracting(element)
      isChunkedLast = coding.equalsIgnoringCase(Keyword.chunked)
      if isChunkedLast {
        chunkedCount += 1
        return
      }
      let semicolon = coding.firstIndex { $0 == UInt8(ascii: ";") } ?? coding.count
      let name = coding.extracting(coding.trimmingBlanks(0..<semicolon))
      guard name.isToken else { throw .bad("The Transfer-Encoding is malformed.") }
      guard !name.equalsIgnoringCase(Keyword.chunked) else {
        throw .bad("The chunked coding must not have parameters.")
      }
      otherCodingCount += 1
    }
  }

  private mutating func readConnection(_ value: Span<UInt8>) throws(RequestError) {
    try value.forEachElement { element throws(RequestError) in
      let option = value.extracting(element)
      if option.equalsIgnoringCase(Keyword.close) { hasClose = true }
      if option.equalsIgnoringCase(Keyword.keepAlive) { hasKeepAlive = true }
    }
  }

  /// Reads `Expect` (RFC 9110, 10.1.1). HTTP/1.0 has no 100.
  private mutating func readExpect(_ value: Span<UInt8>) throws(RequestError) {
    try value.forEachElement { element throws(RequestError) in
      guard !element.isEmpty else { return }
      guard value.extracting(element).equalsIgnoringCase(Keyword.continue) else {
        throw RequestError(.expectationFailed, "The only supported expectation is 100-continue.")
      }
      if minorVersion == 1 { expectsContinue = true }
    }
  }
}

/// Names of fields and values, in lowercase.
enum Keyword {
  static let host = "host"
  static let expect = "expect"
  static let connection = "connection"
  static let contentLength = "content-length"
  static let transferEncoding = "transfer-encoding"
  static let chunked = "chunked"
  static let close = "close"
  static let keepAlive = "keep-alive"
  static let `continue` = "100-continue"
}

extension Span<UInt8> {
  /// Compares, ignoring the case of ASCII letters.
  func equalsIgnoringCase(_ text: String) -> Bool { equalsIgnoringCase(text.utf8Span.span) }
}
