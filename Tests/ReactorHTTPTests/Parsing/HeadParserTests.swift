import Testing

@testable import ParserOutcomes
@testable import ReactorHTTP

@Suite struct HeadParserTests {
  private func message(_ text: String) throws -> Transcript.Message {
    let transcript = Transcript(bytes(text))
    try #require(transcript.error == nil)
    return try #require(transcript.messages.first)
  }

  @Test func aHeadIsReadWithItsParts() throws {
    let head = "\r\nGET /a%20b?c=d HTTP/1.1\r\nHost: x\r\nA:  b c \t\r\nEmpty:\r\nA: \r\n\r\n"
    let message = try message(head + "rest")
    #expect(message.method == "GET")
    #expect(message.minorVersion == 1)
    #expect(message.headerFields == ["Host": "x", "A": "b c", "Empty": "", "A": ""])
    #expect(message.headerFields["a"] == "b c")
    #expect(message.framing == .none)
    #expect(message.byteCount == head.utf8.count)
  }

  @Test func fieldsThatWereReadCanBeChangedAndWritten() throws {
    var fields = try message("GET / HTTP/1.1\r\nHost:x\r\nA:  b \t\r\nB: c\r\n\r\n").headerFields
    fields["a"] = nil
    fields.add("D", "e")
    #expect(fields == ["Host": "x", "B": "c", "D": "e"])
    #expect(String(decoding: fields.bytes, as: UTF8.self) == "Host: x\r\nB: c\r\nD: e\r\n")
  }

  @Test(
    arguments: [
      ("GET", "/a%20b?c=d", "/a%20b", "c=d", nil), ("GET", "/", "/", nil, nil),
      ("GET", "//a//b", "//a//b", nil, nil), ("GET", "/?", "/", "", nil),
      ("GET", "/?a?b", "/", "a?b", nil), ("GET", "/a#b?c", "/a", nil, nil),
      ("GET", "/a?b#c?d", "/a", "b", nil), ("OPTIONS", "*", "*", nil, nil),
      ("GET", "http://h", "/", nil, "h"), ("GET", "http://h:8080/a?b", "/a", "b", "h:8080"),
      ("GET", "HTTPS://[::1]?a", "/", "a", "[::1]"), ("GET", "http://h#a", "/", nil, "h"),
      ("CONNECT", "h:443", "", nil, "h:443"),
      ("GET", "/a/path/of/more/than/fifteen/bytes", "/a/path/of/more/than/fifteen/bytes", nil, nil),
    ] as [(String, String, String, String?, String?)])
  func targets(
    method: String, target: String, path: String, query: String?, authority: String?
  ) throws {
    let read = try message("\(method) \(target) HTTP/1.1\r\nHost: x\r\n\r\n").target
    #expect(read.text == target)
    #expect(read.path == path)
    #expect(read.query == query)
    #expect(read.authority == authority)
  }

  @Test func targetsThatAreNotUTF8AreRepaired() throws {
    let target = try message("GET /\u{c3}\u{a9}\u{ff}?\u{80} HTTP/1.1\r\nHost: x\r\n\r\n").target
    #expect(target.text == "/\u{e9}\u{fffd}?\u{fffd}")
    #expect(target.path == "/\u{e9}\u{fffd}")
    #expect(target.query == "\u{fffd}")
  }

  @Test(arguments: [
    ("1.1", "A: b", true), ("1.1", "Connection: close", false), ("1.1", "Connection: CLOSE", false),
    ("1.1", "Connection: a , close", false), ("1.1", "Connection: ,,close,", false),
    ("1.1", "Connection: keep-alive\r\nconnection:\tclose", false),
    ("1.1", "Connection: closed", true), ("1.1", "Connection: \"close\"", true),
    ("1.1", "Connection:", true), ("1.1", "Connection: keep-alive, x", true),
    ("1.1", "Proxy-Connection: close", true), ("1.0", "A: b", false),
    ("1.0", "Connection: Keep-Alive", true), ("1.0", "Connection: a,keep-alive", true),
    ("1.0", "Connection: keep-alive, close", false), ("1.0", "Connection: x", false),
  ])
  func connections(_ version: String, _ lines: String, _ keepsAlive: Bool) throws {
    let message = try message("GET / HTTP/\(version)\r\nHost: x\r\n\(lines)\r\n\r\n")
    #expect(message.keepsAlive == keepsAlive)
  }

  @Test(arguments: [
    ("1.1", "Content-Length: 3", true), ("1.1", "Transfer-Encoding: chunked", true),
    ("1.1", "Content-Length: 0", false), ("1.1", "A: b", false),
    ("1.0", "Content-Length: 3", false),
  ])
  func expectations(_ version: String, _ lines: String, _ isExpected: Bool) throws {
    let message = try message(
      "PUT / HTTP/\(version)\r\nHost: x\r\nExpect: 100-continue\r\n\(lines)\r\n\r\n")
    #expect(message.expectsContinue == isExpected)
  }

  @Test(arguments: [
    ("A: b", BodyFraming.none), ("Content-Length: 0", .length(0)),
    ("Content-Length: 9223372036854775807", .length(.max)),
    ("content-length: 00012", .length(12)), ("Transfer-Encoding: Chunked", .chunked),
  ])
  func framings(_ lines: String, _ framing: BodyFraming) throws {
    #expect(try message("GET / HTTP/1.1\r\nHost: x\r\n\(lines)\r\n\r\n").framing == framing)
  }

  @Test func aRequestHasBegunWithItsFirstByte() throws {
    #expect(!Transcript(bytes("")).hasBegun)
    #expect(!Transcript(bytes("\r\n\r\n\r")).hasBegun)
    #expect(Transcript(bytes("\r\nG")).hasBegun)
    #expect(Transcript(bytes("GET / HTTP/1.1\r\nHost: x\r\n\r")).hasBegun)
    #expect(!Transcript(bytes("GET / HTTP/1.1\r\nHost: x\r\n\r\n\r\n")).hasBegun)
  }

  /// An error is reported before the end of the head.
  @Test(arguments: [
    ("G(", 400), ("GET /a\u{1}", 400), ("GET / HTTQ", 400), ("GET / HTTP/2.0\r\n", 505),
    ("GET a HTTP/1.1\r\n", 400), ("GET / HTTP/1.1\r\nA ", 400), ("GET / HTTP/1.1\r\nA: \u{0}", 400),
    ("GET / HTTP/1.1\r\n ", 400), ("\u{16}", 400), (String(repeating: "M", count: 33), 501),
  ])
  func errorsAreThrownOnceCertain(_ text: String, _ status: Int) {
    let input = bytes(text)
    #expect(Transcript(Array(input.dropLast())).error == nil)
    #expect(Transcript(input).error?.status.code == status)
  }

  @Test func theClassesOfBytesAreThoseOfTheGrammar() {
    let letters = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789"
    for byte in UInt8.min ... .max {
      #expect(byte.isInTokens == (letters + "!#$%&'*+-.^_`|~").utf8.contains(byte))
      #expect(byte.isInRegisteredNames == (letters + "-._~!$&'()*+,;=").utf8.contains(byte))
      #expect(byte.isInFieldValues == (byte == 9 || byte >= 32 && byte != 127))
      #expect(byte.isInTargets == (byte > 32 && byte != 127))
      let text = String(UnicodeScalar(byte))
      #expect(byte.hexDigitValue.map(Int.init) == (byte < 128 ? Int(text, radix: 16) : nil))
    }
  }

  /// At every offset in the eight bytes that are checked together.
  @Test func noControlCharacterIsOverlooked() {
    for length in 0..<20 {
      for place in 0...length {
        for byte in [0, 8, 9, 10, 13, 31, 127] as [UInt8] {
          var value = [UInt8](repeating: 0x80 | UInt8(length), count: length)
          value.insert(byte, at: place)
          let head = bytes("GET / HTTP/1.1\r\nHost: x\r\nA:") + value + bytes("\r\n\r\n")
          #expect((Transcript(head).error == nil) == (byte == 9), "\(value)")
          let line = bytes("GET /") + value + bytes(" HTTP/1.1\r\nHost: x\r\n\r\n")
          #expect(Transcript(line).error != nil, "\(value)")
        }
      }
    }
  }
}
