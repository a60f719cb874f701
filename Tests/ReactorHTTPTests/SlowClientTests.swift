import PosixAIO
import Reactor
import TestSupport
import Testing

@testable import ReactorHTTP

@Suite struct SlowClientTests {
  @Test func aRequestThatNeverEndsIsCut_thoughBytesKeepComing() throws {
    var configuration = HTTPServer.Configuration()
    configuration.requestTimeout = .milliseconds(1)
    let served = try ServedLoop(configuration) { _, writer in writer.send(.ok) }
    let client = try Client(to: served)
    try client.send("GET / HTTP/1.1\r\nHost: x\r\nX-Slow: ")
    // The inactivity timeout is 30 seconds, and each byte would restart it.
    #expect(try client.readResponse().code == 408)
    #expect(try client.readToEnd().isEmpty)
    // A quick one is not affected.
    let other = try Client(to: served)
    try other.send("GET / HTTP/1.1\r\nHost: x\r\n\r\n")
    let response = try other.readResponse()
    #expect(response.statusLine == "HTTP/1.1 200 OK")
    try served.stop()
  }

  @Test func aClientThatTakesItsResponseTooSlowlyIsCut_thoughItTakesSome() throws {
    var configuration = HTTPServer.Configuration()
    // Each byte that is taken would restart it.
    configuration.inactivityTimeout = .seconds(600)
    configuration.responseTimeout = .milliseconds(1)
    configuration.minimumResponseByteRate = 1 << 40
    let outcomes = OnLoop<[HTTPServer.ResponseWriter.Outcome]>([])
    let served = try ServedLoop(configuration) { _, writer in
      writer.onEnd { outcomes.value.append($0) }
      // More than the kernel holds for a connection.
      writer.send(.ok, body: [UInt8](repeating: UInt8(ascii: "x"), count: 64 << 20))
    }
    let client = try Client(to: served, receiveBufferByteCount: 4096)
    try client.begin("GET", "/")
    _ = try client.read(byteCount: 1)
    try served.waitUntil("the response has ended") { _ in outcomes.value.count == 1 }
    let isComplete = try served.onLoop { _ in outcomes.value[0].isComplete }
    #expect(!isComplete)
    try served.stop()
  }

  @Test func aClientThatTakesNothingIsCut_whenItsResponseComesLate() throws {
    var configuration = HTTPServer.Configuration()
    configuration.inactivityTimeout = .milliseconds(50)
    let (held, outcomes) = (
      OnLoop<[HTTPServer.ResponseWriter]>([]), OnLoop<[HTTPServer.ResponseWriter.Outcome]>([])
    )
    let served = try ServedLoop(configuration) { _, writer in held.value.append(writer) }
    let client = try Client.connected(
      to: served, sending: plainRequest, receiveBufferByteCount: 4096)
    try served.waitUntil("the request") { _ in held.value.count == 1 }
    // When an idle connection is closed, no connection waits for its client any more.
    let idle = try Client(to: served)
    #expect(try idle.readToEnd().isEmpty)
    try served.onLoop { _ in
      held.value[0].onEnd { outcomes.value.append($0) }
      held.value[0].send(.ok, body: [UInt8](repeating: UInt8(ascii: "x"), count: 64 << 20))
      held.value = []
    }
    try served.waitUntil("the response has ended") { _ in outcomes.value.count == 1 }
    #expect(try served.onLoop { _ in !outcomes.value[0].isComplete })
    withExtendedLifetime(client) {}
    try served.stop()
  }

  @Test func aHandlerThatTakesItsTimeIsNoSlowClient() throws {
    var configuration = HTTPServer.Configuration()
    configuration.responseTimeout = .milliseconds(1)
    configuration.requestTimeout = .milliseconds(1)
    let held = OnLoop<[HTTPServer.ResponseWriter]>([])
    let served = try ServedLoop(configuration) { _, writer in
      writer.start(.ok, contentLength: 2)
      held.value.append(writer)
    }
    let client = try Client(to: served)
    try client.begin("GET", "/")
    #expect(try client.readHead().code == 200)
    // When this one is closed, all connections have been checked.
    let slow = try Client(to: served)
    try slow.send("GET / HT")
    #expect(try slow.readResponse().code == 408)
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
    let served = try ServedLoop(configuration) { _, writer in writer.send(.ok) }
    let loop = try EventLoop()
    let other = HTTPServer(on: loop, configuration: configuration) { _, _ in }
    let address = try other.listen(host: "127.0.0.1", port: served.address.port)
    #expect(address == served.address)
    let lonely = HTTPServer(on: loop) { _, _ in }
    #expect(throws: HTTPServer.ListenError.self) {
      try lonely.listen(host: "127.0.0.1", port: served.address.port)
    }
    configuration.requiresFreePort = true
    let first = HTTPServer(on: loop, configuration: configuration) { _, _ in }
    #expect(throws: HTTPServer.ListenError.self) {
      try first.listen(host: "127.0.0.1", port: served.address.port)
    }
    try served.stop()
  }

  @Test func aGroupOfServersSharesAPortThatWasFreeForItsFirst() throws {
    var configuration = HTTPServer.Configuration()
    configuration.reusesPort = true
    let loop = try EventLoop()
    var first = configuration
    first.requiresFreePort = true
    let servers = [first, configuration, configuration].map {
      HTTPServer(on: loop, configuration: $0) { _, _ in }
    }
    let address = try servers[0].listen(host: "127.0.0.1", port: 0)
    for server in servers.dropFirst() {
      #expect(try server.listen(host: "127.0.0.1", port: address.port) == address)
    }
    let another = HTTPServer(on: loop, configuration: first) { _, _ in }
    #expect(throws: HTTPServer.ListenError.self) {
      try another.listen(host: "127.0.0.1", port: address.port)
    }
  }
}
