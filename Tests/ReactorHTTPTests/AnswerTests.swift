import Glibc
import PosixAIO
import TestSupport
import Testing

@testable import ReactorHTTP

@Suite struct AnswerTests {
  @Test func aSmallAnswerHasItsLengthAndADateAndNoTypeOfItsOwn() throws {
    let served = try ServedLoop { _, responder in
      responder.send(.ok, headers: ["X-One": "1"], body: "Hello".utf8)
    }
    let client = try Client(to: served)
    try client.send("GET / HTTP/1.1\r\nHost: x\r\n\r\n")
    let answer = try client.readAnswer()
    #expect(answer.statusLine == "HTTP/1.1 200 OK")
    #expect(answer.text == "Hello")
    #expect(answer["Content-Length"] == "5")
    #expect(answer["X-One"] == "1")
    #expect(answer["Date"].flatMap { HTTPDate($0) } != nil)
    #expect(answer["Content-Type"] == nil)
    #expect(answer["Connection"] == nil)
    try served.stop()
  }

  @Test func aStreamedAnswerHasItsLengthAndEveryByte() throws {
    let served = try ServedLoop { _, responder in
      responder.start(.ok, contentLength: 300_000)
      streamPattern(responder, from: 0, to: 300_000, pieceByteCount: 70_000)
    }
    let client = try Client(to: served)
    for _ in 1...3 {
      try client.send("GET / HTTP/1.1\r\nHost: x\r\n\r\n")
      let answer = try client.readAnswer()
      #expect(answer["Content-Length"] == "300000")
      #expect(answer["Transfer-Encoding"] == nil)
      #expect(answer.body == pattern(300_000))
    }
    try served.stop()
  }

  @Test func aStreamedAnswerOfUnknownLengthIsChunked() throws {
    let served = try ServedLoop { _, responder in
      responder.start(.ok, contentLength: nil)
      streamPattern(responder, from: 0, to: 100_000, pieceByteCount: 33_333)
    }
    let client = try Client(to: served)
    for _ in 1...2 {
      try client.send("GET / HTTP/1.1\r\nHost: x\r\n\r\n")
      let answer = try client.readAnswer()
      #expect(answer["Transfer-Encoding"] == "chunked")
      #expect(answer["Content-Length"] == nil)
      #expect(answer.body == pattern(100_000))
    }
    try served.stop()
  }

  @Test(arguments: ["", "Connection: keep-alive\r\n"])
  func aStreamedAnswerOfUnknownLengthEndsWithTheConnectionForHTTP10(header: String) throws {
    let served = try ServedLoop { _, responder in
      responder.start(.ok, contentLength: nil)
      streamPattern(responder, from: 0, to: 100_000, pieceByteCount: 33_333)
    }
    let client = try Client(to: served)
    try client.send("GET / HTTP/1.0\r\n\(header)\r\n")
    let answer = try client.readAnswer()
    #expect(answer["Transfer-Encoding"] == nil)
    #expect(answer["Content-Length"] == nil)
    #expect(answer.body == pattern(100_000))
    try served.stop()
  }

  @Test func aClientOfHTTP10IsKeptAliveWhenItAsksAndTheLengthIsKnown() throws {
    let served = try ServedLoop { _, responder in
      responder.start(.ok, contentLength: 3)
      streamPattern(responder, from: 0, to: 3, pieceByteCount: 3)
    }
    let client = try Client(to: served)
    for _ in 1...2 {
      try client.send("GET / HTTP/1.0\r\nConnection: keep-alive\r\n\r\n")
      let answer = try client.readAnswer()
      #expect(answer["Connection"] == "keep-alive")
      #expect(answer.body == pattern(3))
    }
    try client.send("GET / HTTP/1.0\r\n\r\n")
    #expect(try client.readAnswer().body == pattern(3))
    #expect(try client.readToEnd() == [])
    try served.stop()
  }

  @Test func headGetsTheLengthAndNoBodyWhicheverWayItIsAnswered() throws {
    let served = try ServedLoop { request, responder in
      switch request.path {
      case "/small": responder.send(.ok, body: "12345".utf8)
      case "/stream":
        responder.start(.ok, contentLength: 100_000)
        streamPattern(responder, from: 0, to: 100_000, pieceByteCount: 40_000)
      case "/unwritten":
        responder.start(.ok, contentLength: 7)
        responder.end()
      default:
        responder.start(.ok, contentLength: nil)
        streamPattern(responder, from: 0, to: 10, pieceByteCount: 10)
      }
    }
    let client = try Client(to: served)
    for (path, length) in [
      ("/small", "5"), ("/stream", "100000"), ("/unwritten", "7"), ("/chunks", nil),
    ] {
      try client.send("HEAD \(path) HTTP/1.1\r\nHost: x\r\n\r\n")
      let answer = try client.readAnswer(to: "HEAD")
      #expect(answer.code == 200)
      #expect(answer["Content-Length"] == length, "\(path)")
      #expect(answer["Transfer-Encoding"] == nil)
    }
    // A byte of a body would be read as the beginning of this status line.
    try client.send("GET /small HTTP/1.1\r\nHost: x\r\n\r\n")
    let answer = try client.readAnswer()
    #expect(answer.statusLine == "HTTP/1.1 200 OK")
    #expect(answer.text == "12345")
    try served.stop()
  }

  @Test(arguments: [HTTPStatus.noContent, .notModified])
  func aStatusWithoutBodySendsNoneAndNoLength(status: HTTPStatus) throws {
    let served = try ServedLoop { request, responder in
      if request.path == "/small" {
        responder.send(status, body: "12345".utf8)
      } else {
        responder.start(status, contentLength: 5)
        streamPattern(responder, from: 0, to: 5, pieceByteCount: 5)
      }
    }
    let client = try Client(to: served)
    for path in ["/small", "/stream", "/small"] {
      try client.send("GET \(path) HTTP/1.1\r\nHost: x\r\n\r\n")
      let answer = try client.readAnswer()
      #expect(answer.statusLine == "HTTP/1.1 \(status)")
      #expect(answer["Content-Length"] == nil)
    }
    try served.stop()
  }

  @Test func connectIsAnsweredAndItsConnectionClosed() throws {
    let served = try ServedLoop { request, responder in
      #expect(request.method == .connect)
      if request.target == "a:1" {
        responder.send(.methodNotAllowed, headers: ["Allow": "GET"], body: "no".utf8)
      } else {
        responder.start(.methodNotAllowed, contentLength: 2)
        streamPattern(responder, from: 0, to: 2, pieceByteCount: 2)
      }
    }
    for (target, length) in [("a:1", "2"), ("a:2", "2")] {
      let client = try Client(to: served)
      try client.send("CONNECT \(target) HTTP/1.1\r\nHost: x\r\n\r\n")
      let answer = try client.readAnswer()
      #expect(answer.code == 405)
      #expect(answer["Content-Length"] == length)
      #expect(try client.readToEnd() == [])
    }
    try served.stop()
  }

  @Test func pipelinedRequestsAreAnsweredInOrder() throws {
    let served = try ServedLoop { request, responder in
      responder.start(.ok, contentLength: nil)
      responder.write(IOBuffer(copying: request.path.utf8)) { _, _ in responder.end() }
    }
    let client = try Client(to: served)
    try client.send((1...20).map { "GET /\($0) HTTP/1.1\r\nHost: x\r\n\r\n" }.joined())
    for number in 1...20 {
      #expect(try client.readAnswer().text == "/\(number)")
    }
    try served.stop()
  }

  @Test func manyPipelinedRequestsAreAllAnswered_whenEachIsAtOnce() throws {
    let served = try ServedLoop { request, responder in
      responder.send(.ok, body: request.path.utf8)
    }
    let client = try Client(to: served)
    try client.send((1...500).map { "GET /\($0) HTTP/1.1\r\nHost: x\r\n\r\n" }.joined())
    for number in 1...500 {
      #expect(try client.readAnswer().text == "/\(number)")
    }
    try served.stop()
  }

  @Test func aResponderReleasedWithoutAnAnswerAnswers500() throws {
    let served = try ServedLoop { _, _ in }
    let client = try Client(to: served)
    for _ in 1...2 {
      try client.send("GET / HTTP/1.1\r\nHost: x\r\n\r\n")
      let answer = try client.readAnswer()
      #expect(answer.code == 500)
    }
    try served.stop()
  }

  @Test func aResponderReleasedInTheMiddleCutsTheConnection() throws {
    let served = try ServedLoop { _, responder in
      responder.start(.ok, contentLength: nil)
      responder.write(IOBuffer(copying: "half".utf8)) { _, _ in _ = responder }
    }
    let client = try Client(to: served)
    try client.send("GET / HTTP/1.1\r\nHost: x\r\n\r\n")
    let text = String(decoding: try client.readToEnd(), as: UTF8.self)
    #expect(text.hasSuffix("4\r\nhalf\r\n"))
    try served.stop()
  }

  @Test func anAnswerThatIsShorterThanItsLengthCutsTheConnection() throws {
    let served = try ServedLoop { _, responder in
      responder.start(.ok, contentLength: 10)
      responder.write(IOBuffer(copying: "half".utf8)) { _, _ in responder.end() }
    }
    let client = try Client(to: served)
    try client.send("GET / HTTP/1.1\r\nHost: x\r\n\r\n")
    let text = String(decoding: try client.readToEnd(), as: UTF8.self)
    #expect(text.hasSuffix("half"))
    try served.stop()
  }

  @Test func aValueWithLineEndsCanNotSmuggleALine() throws {
    let served = try ServedLoop { _, responder in
      responder.send(
        HTTPStatus(299, "a\r\nX-Bad: 1"), headers: ["X-One": "a\r\nX-Bad: 1\r\n more\0"])
    }
    let client = try Client(to: served)
    try client.send("GET / HTTP/1.1\r\nHost: x\r\n\r\n")
    let answer = try client.readAnswer()
    #expect(answer.statusLine == "HTTP/1.1 299 a  X-Bad: 1")
    #expect(answer["X-One"] == "a  X-Bad: 1   more ")
    #expect(answer["X-Bad"] == nil)
    try served.stop()
  }

  @Test func connectionCloseOfTheHandlerClosesBehindTheAnswer() throws {
    let served = try ServedLoop { _, responder in
      responder.send(.ok, headers: ["Connection": "close"], body: "x".utf8)
    }
    let client = try Client(to: served)
    try client.send("GET / HTTP/1.1\r\nHost: x\r\n\r\nGET / HTTP/1.1\r\nHost: x\r\n\r\n")
    let answer = try client.readAnswer()
    #expect(answer["Connection"] == "close")
    #expect(try client.readToEnd() == [])
    try served.stop()
  }

  @Test func everyChunkOfAnAnswerIsAsLargeAsItsPiece() throws {
    let served = try ServedLoop { _, responder in
      responder.start(.ok, contentLength: nil)
      for size in [1, 15, 16, 100_000] {
        responder.write(IOBuffer(copying: pattern(size))) { _, _ in }
      }
      responder.end()
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
    let served = try ServedLoop { _, responder in responder.send(.noContent) }
    let client = try Client(to: served)
    try client.send("GET / HTTP/1.1\r\nHost: x\r\n\r\n")
    _ = try client.readAnswer()
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
