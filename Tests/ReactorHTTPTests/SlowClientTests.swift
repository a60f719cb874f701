import PosixAIO
import Reactor
import TestSupport
import Testing

@testable import ReactorHTTP

@Suite struct SlowClientTests {
  @Test func aRequestThatNeverEndsIsCut_thoughBytesKeepComing() throws {
    var configuration = HTTPServer.Configuration()
    configuration.requestTimeout = .milliseconds(1)
    let served = try ServedLoop(configuration) { _, responder in responder.send(.ok) }
    let client = try Client(to: served)
    try client.send("GET / HTTP/1.1\r\nX-Slow: ")
    // The inactivity timeout is 30 seconds, and would be begun anew by each byte.
    #expect(try client.readToEnd().isEmpty)
    // A quick one is not affected.
    let other = try Client(to: served)
    try other.send("GET / HTTP/1.1\r\n\r\n")
    let answer = try other.readAnswer()
    #expect(answer.statusLine == "HTTP/1.1 200 OK")
    try served.stop()
  }

  @Test func aClientThatTakesItsAnswerTooSlowlyIsCut_thoughItTakesSome() throws {
    var configuration = HTTPServer.Configuration()
    // Each byte that is taken would begin it anew.
    configuration.inactivityTimeout = .seconds(600)
    configuration.answerTimeout = .milliseconds(1)
    configuration.minimumAnswerByteRate = 1 << 40
    let outcomes = OnLoop<[HTTPResponder.Outcome]>([])
    let served = try ServedLoop(configuration) { _, responder in
      responder.onEnd { outcomes.value.append($0) }
      // More than the kernel holds for a connection.
      responder.send(.ok, body: [UInt8](repeating: UInt8(ascii: "x"), count: 64 << 20))
    }
    let client = try Client(to: served, receiveBufferByteCount: 4096)
    try client.begin("GET", "/")
    _ = try client.read(byteCount: 1)
    try served.waitUntil("the answer has ended") { _ in outcomes.value.count == 1 }
    let isComplete = try served.onLoop { _ in outcomes.value[0].isComplete }
    #expect(!isComplete)
    try served.stop()
  }

  @Test func aHandlerThatTakesItsTimeIsNoSlowClient() throws {
    var configuration = HTTPServer.Configuration()
    configuration.answerTimeout = .milliseconds(1)
    configuration.requestTimeout = .milliseconds(1)
    let held = OnLoop<[HTTPResponder]>([])
    let served = try ServedLoop(configuration) { _, responder in
      responder.start(.ok, contentLength: 2)
      held.value.append(responder)
    }
    let client = try Client(to: served)
    try client.begin("GET", "/")
    #expect(try client.readHead().code == 200)
    // When this one is cut, all connections have been looked at.
    let slow = try Client(to: served)
    try slow.send("GET / HT")
    #expect(try slow.readToEnd().isEmpty)
    try served.onLoop { _ in
      held.value[0].write(IOBuffer(copying: "ok".utf8)) { _, _ in }
      held.value[0].end()
      held.value = []
    }
    #expect(try client.read(byteCount: 2) == Array("ok".utf8))
    try served.stop()
  }

  @Test func aServerMayShareItsPort() throws {
    var configuration = HTTPServer.Configuration()
    configuration.reusesPort = true
    let served = try ServedLoop(configuration) { _, responder in responder.send(.ok) }
    let loop = try EventLoop()
    let other = HTTPServer(on: loop, configuration: configuration) { _, _ in }
    let address = try other.listen(host: "127.0.0.1", port: served.address.port)
    #expect(address == served.address)
    let lonely = HTTPServer(on: loop) { _, _ in }
    #expect(throws: HTTPServer.ListenError.self) {
      try lonely.listen(host: "127.0.0.1", port: served.address.port)
    }
    try served.stop()
  }
}
