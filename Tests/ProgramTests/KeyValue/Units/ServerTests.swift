import Glibc
import Logging
import PosixAIO
import ProgramSupport
import Reactor
import SystemPackage
import TestSupport
import XCTest

@testable import KeyValueServer

/// A server in the test's own loop, where its patience can be shorter than its users know it.
final class ServerTests: XCTestCase {
  private static let valueByteCount = 32 * 1024 * 1024

  func test_clientThatTakesNothingIsClosed_andOthersAreServed() throws {
    let loop = try EventLoop()
    let site = try OpenLog(on: loop)
    let log = site.log
    let value = [UInt8](repeating: 1, count: Self.valueByteCount)
    log.database.replay(
      LogRecord(
        kind: .set, number: Moment.never.milliseconds, key: Array("big".utf8), value: value))
    let server = Server(log, Server.Limits(clientCount: 10), OpenLog.silentLogger)
    let address = try server.listen(
      on: try XCTUnwrap(SocketAddress(host: "127.0.0.1", port: 0)), outputTimeout: .milliseconds(50)
    )
    let port = try XCTUnwrap(address.port)

    // Both clients are gone before the server ends, which would wait for them.
    do {
      let slow = try RedisClient(port: port, receiveBufferByteCount: 4096)
      try slow.send("GET", "big")
      let other = try RedisClient(port: port)
      try loop.run(until: "the client was closed") {
        server.information(sections: []).contains("total_connections_received:2")
          && server.information(sections: []).contains("connected_clients:1")
      }
      XCTAssertLessThan(try slow.client.readToEnd().count, Self.valueByteCount)
      try other.send("SET", "key", "value")
      try loop.run(until: "the other client got its reply") {
        server.statistics.commandCount == 2 && !log.isBusy
      }
      XCTAssertEqual(try other.readReply(), RedisReply.ok)
    }
    try end(server, loop)
  }

  private func end(_ server: Server, _ loop: EventLoop) throws {
    var isEnded = false
    server.end { isEnded = true }
    try loop.run(until: "the server had ended") { isEnded }
  }
}
