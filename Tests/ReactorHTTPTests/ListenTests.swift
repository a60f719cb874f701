import Glibc
import Reactor
import Synchronization
import SystemPackage
import TestSupport
import Testing

@testable import ReactorHTTP

@Suite struct ListenTests {
  /// A server and its loop, which it does not keep alive.
  private final class LoopAndServer {
    private let loop: EventLoop
    private let server: HTTPServer

    init() throws {
      loop = try EventLoop()
      server = HTTPServer(on: loop) { _, writer in writer.send(.ok) }
    }

    func listen(host: String, port: UInt16) throws -> SocketAddress {
      try withExtendedLifetime(self) { try server.listen(host: host, port: port) }
    }
  }

  private func makeServer() throws -> LoopAndServer { try LoopAndServer() }

  @Test func portZeroGivesTheRealPort() throws {
    let server = try makeServer()
    let first = try server.listen(host: "127.0.0.1", port: 0)
    let second = try server.listen(host: "127.0.0.1", port: 0)
    #expect(first.host == "127.0.0.1")
    #expect(first.port != 0 && second.port != 0 && first.port != second.port)
    #expect("\(first)" == "127.0.0.1:\(first.port)")
  }

  @Test func aPortInUseIsReportedAndNothingStarted() throws {
    let server = try makeServer()
    let address = try server.listen(host: "127.0.0.1", port: 0)
    let other = try makeServer()
    let error = #expect(throws: HTTPServer.ListenError.self) {
      try other.listen(host: "127.0.0.1", port: address.port)
    }
    #expect(error?.reason == .system(.addressInUse))
    #expect(
      "\(try #require(error))"
        == "cannot listen on 127.0.0.1:\(address.port): Address already in use")
  }

  @Test func aPortOfANameInUseIsNotEvadedToAnotherAddressOfTheName() throws {
    let server = try makeServer()
    let address = try server.listen(host: "localhost", port: 0)
    let other = try makeServer()
    let error = #expect(throws: HTTPServer.ListenError.self) {
      try other.listen(host: "localhost", port: address.port)
    }
    #expect(error?.reason == .system(.addressInUse))
  }

  @Test func theServerMayListenAgainOnAPortItHasLeft() throws {
    var server: LoopAndServer? = try makeServer()
    let address = try server?.listen(host: "127.0.0.1", port: 0)
    server = nil
    server = try makeServer()
    #expect(try server?.listen(host: "127.0.0.1", port: address?.port ?? 0) == address)
  }

  @Test func anAddressOfAnotherMachineIsRefused() throws {
    let server = try makeServer()
    let error = #expect(throws: HTTPServer.ListenError.self) {
      try server.listen(host: "192.0.2.1", port: 0)
    }
    #expect(error?.reason == .system(.addressNotAvailable))
  }

  @Test(arguments: ["", "256.1.1.1", "no such host", "host.invalid"])
  func aHostThatDoesNotResolveIsACaseOfItsOwn(host: String) throws {
    let server = try makeServer()
    let error = #expect(throws: HTTPServer.ListenError.self) {
      try server.listen(host: host, port: 8080)
    }
    guard case .unresolvedHost(let text)? = error?.reason else {
      Issue.record("\(String(describing: error))")
      return
    }
    #expect(!text.isEmpty)
    #expect(error?.host == host)
    #expect(error?.port == 8080)
  }

  @Test func aClientThatComesWhileNoDescriptorIsFreeIsServedLater() async {
    // Runs in its own process, because it uses up the descriptors.
    await #expect(processExitsWith: .success) {
      let served = try ServedLoop { _, writer in writer.send(.ok, body: "x".utf8) }
      var limit = rlimit(rlim_cur: 200, rlim_max: 200)
      unsafe setrlimit(__rlimit_resource_t(RLIMIT_NOFILE.rawValue), &limit)
      var fillers: [Int32] = []
      while case let descriptor = dup(0), descriptor >= 0 { fillers.append(descriptor) }
      close(fillers.removeLast())
      let client = try Client(to: served)
      try client.send("GET / HTTP/1.1\r\nHost: x\r\n\r\n")
      // The server pauses between attempts, instead of reporting the same client forever.
      let failureCount = OnLoop(0)
      try served.onLoop { $0.value?.onAcceptError = { _ in failureCount.value += 1 } }
      try served.waitUntil("accepting rests") { _ in failureCount.value > 0 }
      guard try served.onLoop({ $0.value?.connectionCount }) == 0 else { exit(1) }
      for filler in fillers { close(filler) }
      guard try client.readResponse().text == "x" else { exit(1) }
      try served.stop()
    }
  }
}
