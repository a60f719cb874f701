import Testing

/// A body as a client sends it, and the content that a handler should receive.
struct SentBody: Sendable, CustomTestStringConvertible {
  private enum Part {
    case framing(String)
    case content(String)
  }

  let testDescription: String
  /// The fields that describe its framing.
  let fields: [String]
  /// The bytes that are sent.
  let bytes: [UInt8]
  let content: [UInt8]
  let trailer: String?
  /// Which bytes are content.
  private let isContent: [Bool]

  private init(_ name: String, _ fields: [String], trailer: String? = nil, _ parts: [Part]) {
    testDescription = name
    self.fields = fields
    self.trailer = trailer
    var (bytes, isContent): ([UInt8], [Bool]) = ([], [])
    for part in parts {
      switch part {
      case .framing(let text):
        bytes += Array(text.utf8)
        isContent += text.utf8.map { _ in false }
      case .content(let text):
        bytes += Array(text.utf8)
        isContent += text.utf8.map { _ in true }
      }
    }
    self.bytes = bytes
    self.isContent = isContent
    content = zip(bytes, isContent).filter(\.1).map(\.0)
  }

  /// The content in the first bytes of it.
  func content(inFirst byteCount: Int) -> [UInt8] {
    zip(bytes, isContent).prefix(byteCount).filter(\.1).map(\.0)
  }

  func head(_ target: String) -> [UInt8] {
    let lines = ["PUT \(target) HTTP/1.1", "Host: x"] + fields
    return Array((lines.joined(separator: "\r\n") + "\r\n\r\n").utf8)
  }

  private static let chunked = ["Transfer-Encoding: chunked"]

  /// Every framing.
  static let all = [
    SentBody("none", [], []),
    SentBody("no bytes", ["Content-Length: 0"], []),
    SentBody("one byte", ["Content-Length: 1"], [.content("x")]),
    SentBody("many bytes", ["Content-Length: 23"], [.content("PUT /hidden HTTP/1.1\r\n\r")]),
    SentBody("no chunk", chunked, [.framing("0\r\n\r\n")]),
    SentBody(
      "a chunk", chunked, [.framing("5\r\n"), .content("Hello"), .framing("\r\n0\r\n\r\n")]),
    SentBody(
      "many chunks", chunked,
      [
        .framing("1\r\n"), .content("a"), .framing("\r\n00B\r\n"), .content("0\r\n\r\n0\r\n\r\nx"),
        .framing("\r\n2\r\n"), .content("\r\n"), .framing("\r\n000\r\n\r\n"),
      ]),
    SentBody(
      "extensions", chunked,
      [
        .framing("3;a;b=c\r\n"), .content("abc"), .framing("\r\n1;d=\"\\\"0\"\r\n"),
        .content("d"), .framing("\r\n0;end=\"\"\r\n\r\n"),
      ]),
    SentBody(
      "trailers", chunked, trailer: "seen",
      [
        .framing("4\r\n"), .content("abcd"),
        .framing("\r\n0\r\nX-Trailer: seen\r\nOther: \r\n\r\n"),
      ]),
  ]
}
