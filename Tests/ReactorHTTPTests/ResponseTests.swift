import Glibc
import PosixAIO
import TestSupport
import Testing

@testable import ReactorHTTP

@Suite struct ResponseTests {
  @Test func aSmallResponseHasItsLengthAndADateAndNoTypeOfItsOwn() throws {
    let served = try ServedLoop { _, writer in
      writer.send(.ok, headers: ["X-One": "1"], body: "Hello".utf8)
    }
    let client = try Client(to: served)
    try client.send("GET / HTTP/1.1\r\nHost: x\r\n\r\n")
    let response = try client.readResponse()
    #expect(response.statusLine == "HTTP/1.1 200 OK")
    #expect(response.text == "Hello")
    #expect(response["Content-Length"] == "5")
    #expect(response["X-One"] == "1")
    #expect(response["Date"].flatMap { HTTPDate($0) } != nil)
    #expect(response["Content-Type"] == nil)
    #expect(response["Connection"] == nil)
    try served.stop()
  }

  @Test func eachResponseBeginsWithTheFieldsOfTheConfiguration() throws {
    var configuration = HTTPServer.Configuration()
    configuration.responseHeaders = ["X-One": "1", "X-Two": "2"]
    let served = try ServedLoop(configuration) { request, writer in
      let headers: HeaderFields = request.path == "/dated" ? ["Date": "mine"] : ["X-Three": "3"]
      writer.send(.ok, headers: headers)
    }
    for (line, names) in [
      ("GET / HTTP/1.1", ["X-One", "X-Two", "Date", "X-Three", "Content-Length"]),
      ("GET /dated HTTP/1.1", ["X-One", "X-Two", "Date", "Content-Length"]),
      ("nonsense", ["X-One", "X-Two", "Date", "Content-Type", "Connection", "Content-Length"]),
    ] {
      let client = try Client(to: served)
      try client.send("\(line)\r\nHost: x\r\n\r\n")
      #expect(Set(try client.readResponse().fields.map(\.name)) == Set(names), "\(line)")
    }
    try served.stop()
  }

  @Test func aStreamedResponseHasItsLengthAndEveryByte() throws {
    let served = try ServedLoop { _, writer in
      writer.start(.ok, contentLength: 300_000)
      streamPattern(writer, from: 0, to: 300_000, pieceByteCount: 70_000)
    }
    let client = try Client(to: served)
    for _ in 1...3 {
      try client.send("GET / HTTP/1.1\r\nHost: x\r\n\r\n")
      let response = try client.readResponse()
      #expect(response["Content-Length"] == "300000")
      #expect(response["Transfer-Encoding"] == nil)
      #expect(response.body == pattern(300_000))
    }
    try served.stop()
  }

  @Test func aStreamedResponseOfUnknownLengthIsChunked() throws {
    let served = try ServedLoop { _, writer in
      writer.start(.ok, contentLength: nil)
      streamPattern(writer, from: 0, to: 100_000, pieceByteCount: 33_333)
    }
    let client = try Client(to: served)
    for _ in 1...2 {
      try client.send("GET / HTTP/1.1\r\nHost: x\r\n\r\n")
      let response = try client.readResponse()
      #expect(response["Transfer-Encoding"] == "chunked")
      #expect(response["Content-Length"] == nil)
      #expect(response.body == pattern(100_000))
    }
    try served.stop()
  }

  @Test(arguments: ["", "Connection: keep-alive\r\n"])
  func aStreamedResponseOfUnknownLengthEndsWithTheConnectionForHTTP10(header: String) throws {
    let served = try ServedLoop { _, writer in
      writer.start(.ok, contentLength: nil)
      streamPattern(writer, from: 0, to: 100_000, pieceByteCount: 33_333)
    }
    let client = try Client(to: served)
    try client.send("GET / HTTP/1.0\r\n\(header)\r\n")
    let response = try client.readResponse()
    #expect(response["Transfer-Encoding"] == nil)
    #expect(response["Content-Length"] == nil)
    #expect(response.body == pattern(100_000))
    try served.stop()
  }

  @Test func aClientOfHTTP10IsKeptAliveWhenItAsksAndTheLengthIsKnown() throws {
    let served = try ServedLoop { _, writer in
      writer.start(.ok, contentLength: 3)
      streamPattern(writer, from: 0, to: 3, pieceByteCount: 3)
    }
    let client = try Client(to: served)
    for _ in 1...2 {
      try client.send("GET / HTTP/1.0\r\nConnection: keep-alive\r\n\r\n")
      let response = try client.readResponse()
      #expect(response["Connection"] == "keep-alive")
      #expect(response.body == pattern(3))
    }
    try client.send("GET / HTTP/1.0\r\n\r\n")
    #expect(try client.readResponse().body == pattern(3))
    #expect(try client.readToEnd() == [])
    try served.stop()
  }

  @Test func headGetsTheLengthAndNoBody_forEveryKindOfResponse() throws {
    let served = try ServedLoop { request, writer in
      switch request.path {
      case "/small": writer.send(.ok, body: "12345".utf8)
      case "/stream":
        writer.start(.ok, contentLength: 100_000)
        streamPattern(writer, from: 0, to: 100_000, pieceByteCount: 40_000)
      case "/unwritten":
        writer.start(.ok, contentLength: 7)
        writer.end()
      default:
        writer.start(.ok, contentLength: nil)
        streamPattern(writer, from: 0, to: 10, pieceByteCount: 10)
      }
    }
    let client = try Client(to: served)
    for (path, length) in [
      ("/small", "5"), ("/stream", "100000"), ("/unwritten", "7"), ("/chunks", nil),
    ] {
      try client.send("HEAD \(path) HTTP/1.1\r\nHost: x\r\n\r\n")
      let response = try client.readResponse(to: "HEAD")
      #expect(response.code == 200)
      #expect(response["Content-Length"] == length, "\(path)")
      #expect(response["Transfer-Encoding"] == nil)
    }
    // A byte of a body would be read as the beginning of this status line.
    try client.send("GET /small HTTP/1.1\r\nHost: x\r\n\r\n")
    let response = try client.readResponse()
    #expect(response.statusLine == "HTTP/1.1 200 OK")
    #expect(response.text == "12345")
    try served.stop()
  }

  @Test(arguments: [HTTPStatus.noContent, .notModified])
  func aStatusWithoutBodySendsNoneAndNoLength(status: HTTPStatus) throws {
    let served = try ServedLoop { request, writer in
      if request.path == "/small" {
        writer.send(status, body: "12345".utf8)
      } else {
        writer.start(status, contentLength: 5)
        streamPattern(writer, from: 0, to: 5, pieceByteCount: 5)
      }
    }
    let client = try Client(to: served)
    for path in ["/small", "/stream", "/small"] {
      try client.send("GET \(path) HTTP/1.1\r\nHost: x\r\n\r\n")
      let response = try client.readResponse()
      #expect(response.statusLine == "HTTP/1.1 \(status)")
      #expect(response["Content-Length"] == nil)
    }
    try served.stop()
  }

  @Test func connectGetsAResponseAndItsConnectionIsClosed() throws {
    let served = try ServedLoop { request, writer in
      #expect(request.method == .connect)
      if request.target == "a:1" {
        writer.send(.methodNotAllowed, headers: ["Allow": "GET"], body: "no".utf8)
      } else {
        writer.start(.methodNotAllowed, contentLength: 2)
        streamPattern(writer, from: 0, to: 2, pieceByteCount: 2)
      }
    }
    for (target, length) in [("a:1", "2"), ("a:2", "2")] {
      let client = try Client(to: served)
      try client.send("CONNECT \(target) HTTP/1.1\r\nHost: x\r\n\r\n")
      let response = try client.readResponse()
      #expect(response.code == 405)
      #expect(response["Content-Length"] == length)
      #expect(try client.readToEnd() == [])
    }
    try served.stop()
  }

  @Test func pipelinedRequestsGetTheirResponsesInOrder() throws {
    let served = try ServedLoop { request, writer in
      writer.start(.ok, contentLength: nil)
      writer.write(IOBuffer(copying: request.path.utf8)) { _, _ in writer.end() }
    }
    let client = try Client(to: served)
    try client.send((1...20).map { "GET /\($0) HTTP/1.1\r\nHost: x\r\n\r\n" }.joined())
    for number in 1...20 {
      #expect(try client.readResponse().text == "/\(number)")
    }
    try served.stop()
  }

  @Test func manyPipelinedRequestsAllGetResponses_whenEachIsSentAtOnce() throws {
    let served = try ServedLoop { request, writer in
      writer.send(.ok, body: request.path.utf8)
    }
    let client = try Client(to: served)
    try client.send((1...500).map { "GET /\($0) HTTP/1.1\r\nHost: x\r\n\r\n" }.joined())
    for number in 1...500 {
      #expect(try client.readResponse().text == "/\(number)")
    }
    try served.stop()
  }

  @Test func aWriterReleasedWithoutAResponseSends500() throws {
    let served = try ServedLoop { _, _ in }
    let client = try Client(to: served)
    for _ in 1...2 {
      try client.send("GET / HTTP/1.1\r\nHost: x\r\n\r\n")
      let response = try client.readResponse()
      #expect(response.code == 500)
    }
    try served.stop()
  }

  @Test func aWriterReleasedInTheMiddleCutsTheConnection() throws {
    let served = try ServedLoop { _, writer in
      writer.start(.ok, contentLength: nil)
      writer.write(IOBuffer(copying: "half".utf8)) { _, _ in _ = writer }
    }
    let client = try Client(to: served)
    try client.send("GET / HTTP/1.1\r\nHost: x\r\n\r\n")
    let text = String(decoding: try client.readToEnd(), as: UTF8.self)
    #expect(text.hasSuffix("4\r\nhalf\r\n"))
    try served.stop()
  }

  @Test func aResponseThatIsShorterThanItsLengthCutsTheConnection() throws {
    let served = try ServedLoop { _, writer in
      writer.start(.ok, contentLength: 10)
      writer.write(IOBuffer(copying: "half".utf8)) { _, _ in writer.end() }
    }
    let client = try Client(to: served)
    try client.send("GET / HTTP/1.1\r\nHost: x\r\n\r\n")
    let text = String(decoding: try client.readToEnd(), as: UTF8.self)
    #expect(text.hasSuffix("half"))
    try served.stop()
  }

  @Test func aValueWithLineEndsCanNotSmuggleALine() throws {
    let served = try ServedLoop { _, writer in
      writer.send(
        HTTPStatus(299, "a\r\nX-Bad: 1"), headers: ["X-One": "a\r\nX-Bad: 1\r\n more\0"])
    }
    let client = try Client(to: served)
    try client.send("GET / HTTP/1.1\r\nHost: x\r\n\r\n")
    let response = try client.readResponse()
    #expect(response.statusLine == "HTTP/1.1 299 a  X-Bad: 1")
    #expect(response["X-One"] == "a  X-Bad: 1   more ")
    #expect(response["X-Bad"] == nil)
    try served.stop()
  }

  @Test func connectionCloseOfTheHandlerClosesAfterTheResponse() throws {
    let served = try ServedLoop { _, writer in
      writer.send(.ok, headers: ["Connection": "close"], body: "x".utf8)
    }
    let client = try Client(to: served)
    try client.send("GET / HTTP/1.1\r\nHost: x\r\n\r\nGET / HTTP/1.1\r\nHost: x\r\n\r\n")
    let response = try client.readResponse()
    #expect(response["Connection"] == "close")
    #expect(try client.readToEnd() == [])
    try served.stop()
  }

  @Test func everyChunkOfAResponseIsAsLargeAsItsPiece() throws {
    let served = try ServedLoop { _, writer in
      writer.start(.ok, contentLength: nil)
      for size in [1, 15, 16, 100_000] {
        writer.write(IOBuffer(copying: pattern(size))) { _, _ in }
      }
      writer.end()
    }
    let client = try Client(to: served)
    try client.send("GET / HTTP/1.1\r\nHost: x\r\n\r\n")
    _ = try client.read(through: "\r\n\r\n")
    for size in [1, 15, 16, 100_000] {
      #expect(try client.read(through: "\r\n") == "\(String(size, radix: 16))\r\n")
      #expect(try client.read(byteCount: size) == pattern(size))
      #expect(try client.read(byteCount: 2) == [13, 10])
    }
    #expect(try client.read(byteCount: 5) == Array("0\r\n\r\n".utf8))
    try served.stop()
  }

  @Test func acceptedConnectionsSendWithoutDelay() throws {
    let served = try ServedLoop { _, writer in writer.send(.noContent) }
    let client = try Client(to: served)
    try client.send("GET / HTTP/1.1\r\nHost: x\r\n\r\n")
    _ = try client.readResponse()
    let port = client.localPort
    // This process has both ends: the server's is the one whose peer is the client's port.
    let delays = (0..<4096).filter { peerPort(of: $0) == port }.map { isWithoutDelay($0) }
    #expect(delays == [true])
    try served.stop()
  }
}

/// The port at the other end of a socket over IPv4; nil for any other descriptor.
private func peerPort(of descriptor: Int32) -> UInt16? {
  var name = sockaddr_in()
  var length = socklen_t(MemoryLayout<sockaddr_in>.size)
  let status = unsafe withUnsafeMutablePointer(to: &name) {
    unsafe $0.withMemoryRebound(to: sockaddr.self, capacity: 1) {
      unsafe getpeername(descriptor, $0, &length)
    }
  }
  guard status == 0, name.sin_family == sa_family_t(AF_INET) else { return nil }
  return UInt16(bigEndian: name.sin_port)
}

private func isWithoutDelay(_ socket: Int32) -> Bool {
  var value: Int32 = 0
  var length = socklen_t(MemoryLayout<Int32>.size)
  unsafe getsockopt(socket, Int32(IPPROTO_TCP), TCP_NODELAY, &value, &length)
  return value != 0
}
