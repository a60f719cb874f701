import TestSupport

/// A reply in the Redis protocol.
enum RedisReply: Equatable, ExpressibleByStringLiteral, ExpressibleByIntegerLiteral,
  ExpressibleByNilLiteral, ExpressibleByArrayLiteral
{
  case status(String)
  case error(String)
  case integer(Int)
  case bulk([UInt8])
  case null
  /// The null of RESP3.
  case resp3Null
  case map([(RedisReply, RedisReply)])
  case array([RedisReply])

  /// A bulk string.
  init(stringLiteral text: String) { self = .bulk(Array(text.utf8)) }
  init(integerLiteral number: Int) { self = .integer(number) }
  init(nilLiteral: ()) { self = .null }
  init(arrayLiteral replies: RedisReply...) { self = .array(replies) }

  static func == (one: RedisReply, other: RedisReply) -> Bool {
    switch (one, other) {
    case (.status(let one), .status(let other)), (.error(let one), .error(let other)):
      one == other
    case (.integer(let one), .integer(let other)): one == other
    case (.bulk(let one), .bulk(let other)): one == other
    case (.null, .null), (.resp3Null, .resp3Null): true
    case (.array(let one), .array(let other)): one == other
    case (.map(let one), .map(let other)): one.elementsEqual(other, by: ==)
    default: false
    }
  }

  static let ok = RedisReply.status("OK")

  var integer: Int? { if case .integer(let number) = self { number } else { nil } }
  var bytes: [UInt8]? { if case .bulk(let bytes) = self { bytes } else { nil } }
  var errorText: String? { if case .error(let text) = self { text } else { nil } }
  var elements: [RedisReply] { if case .array(let replies) = self { replies } else { [] } }
}

/// A client that speaks the Redis protocol, as the tests want it spoken.
final class RedisClient {
  let client: Client

  init(port: UInt16, receiveBufferByteCount: Int32? = nil) throws {
    client = try Client(port: port, receiveBufferByteCount: receiveBufferByteCount)
  }

  static func request(_ words: [[UInt8]]) -> [UInt8] {
    words.reduce(into: Array("*\(words.count)\r\n".utf8)) { bytes, word in
      bytes += Array("$\(word.count)\r\n".utf8) + word + Array("\r\n".utf8)
    }
  }

  static func request(_ words: [String]) -> [UInt8] { request(words.map { Array($0.utf8) }) }

  func send(_ words: String...) throws { try client.send(Self.request(words)) }

  func ask(_ words: String...) throws -> RedisReply { try ask(words) }

  func ask(_ words: [String]) throws -> RedisReply {
    try client.send(Self.request(words))
    return try readReply()
  }

  /// The words of a line, sent as the protocol wants them.
  func line(_ words: String) throws -> RedisReply {
    try ask(words.split(separator: " ").map(String.init))
  }

  func readReply() throws -> RedisReply {
    let line = try readLine()
    let text = String(line.dropFirst())
    switch line.first {
    case "+": return .status(text)
    case "-": return .error(text)
    case ":": return .integer(try number(text))
    case "$":
      let count = try number(text)
      guard count >= 0 else { return .null }
      let bytes = try client.read(byteCount: count + 2)
      return .bulk(Array(bytes.dropLast(2)))
    case "=":
      return .bulk(Array(try client.read(byteCount: try number(text) + 2).dropFirst(4).dropLast(2)))
    case "_": return .resp3Null
    case "%":
      return .map(try (0..<(try number(text))).map { _ in (try readReply(), try readReply()) })
    case "*" where text == "-1": return .null
    case "*", "~": return .array(try (0..<(try number(text))).map { _ in try readReply() })
    default: throw Failure("no reply begins like \"\(line)\"")
    }
  }

  private func number(_ text: String) throws -> Int {
    guard let number = Int(text) else { throw Failure("\"\(text)\" is no number") }
    return number
  }

  private func readLine() throws -> String {
    var line: [UInt8] = []
    while !line.suffix(2).elementsEqual([0x0D, 0x0A]) { line += try client.read(byteCount: 1) }
    return String(decoding: line.dropLast(2), as: UTF8.self)
  }
}
