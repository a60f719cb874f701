import PosixAIO
import Reactor
import SystemPackage
import TestSupport
import XCTest

/// A test whose tasks use connected sockets of one loop.
class SocketTaskTestCase: XCTestCase {
  struct Ends {
    let client: Connection
    let server: Connection

    func abort() {
      client.abort()
      server.abort()
    }
  }

  nonisolated(nonsending) func connect(
    _ loop: EventLoop, server: Connection.Configuration = .init(),
    client: Connection.Configuration = .init()
  ) async throws -> Ends {
    var configuration = Listener.Configuration()
    configuration.connection = server
    let listener = try Listener(on: loop, .loopback(port: 0), configuration: configuration)
    defer { listener.close() }
    let client = try await Connection.connect(
      to: listener.address, on: loop, configuration: client)
    for try await server in listener.connections { return Ends(client: client, server: server) }
    throw Errno.canceled
  }

  /// Runs `body` as a task of a loop, with a deadline, and looks for descriptors left behind.
  func runTask(
    _ body: nonisolated(nonsending) @escaping (EventLoop) async throws -> Void
  ) throws {
    let before = try openDescriptors()
    do {
      let loop = try EventLoop()
      let deadline = loop.schedule(after: testDeadline) {
        XCTFail("the task did not end in time")
        loop.stop()
      }
      defer { deadline.cancel() }
      try loop.run { loop in try await body(loop) }
    }
    XCTAssertEqual(try openDescriptors(), before)
  }
}
