import Reactor
import Testing

@testable import ReactorHTTP

@Suite struct SlowRequestTests {
  @Test func aRequestThatNeverEndsIsCut_thoughBytesKeepComing() throws {
    var configuration = HTTPServer.Configuration()
    configuration.requestTimeout = .milliseconds(1)
    let served = try ServedLoop(configuration) { _, responder in responder.send(.ok) }
    let client = try RawClient(served.address)
    client.send("GET / HTTP/1.1\r\nX-Slow: ")
    // The inactivity timeout is 30 seconds, and would be begun anew by each byte.
    #expect(try client.readToEnd().isEmpty)
    // A quick one is not affected.
    let other = try RawClient(served.address)
    other.send("GET / HTTP/1.1\r\n\r\n")
    let answer = try other.readAnswer()
    #expect(answer.statusLine == "HTTP/1.1 200 OK")
    try served.stop()
  }

  @Test func aServerMayShareItsPort() throws {
    var configuration = HTTPServer.Configuration()
    configuration.reusesPort = true
    let served = try ServedLoop(configuration) { _, responder in responder.send(.ok) }
    let loop = try EventLoop()
    let other = HTTPServer(loop: loop, configuration: configuration) { _, _ in }
    let address = try other.listen(host: "127.0.0.1", port: served.address.port)
    #expect(address == served.address)
    let lonely = HTTPServer(loop: loop) { _, _ in }
    #expect(throws: HTTPServer.ListenError.self) {
      try lonely.listen(host: "127.0.0.1", port: served.address.port)
    }
    try served.stop()
  }
}
