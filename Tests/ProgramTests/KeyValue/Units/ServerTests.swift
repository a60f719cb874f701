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
    let folder = try TemporaryFolder()
    let log = try openLog(in: folder.path, on: loop)
    let value = [UInt8](repeating: 1, count: Self.valueByteCount)
    log.database.replay(
      LogRecord(
        kind: .set, number: Moment.never.milliseconds, key: Array("big".utf8), value: value))
    let server = Server(log, clientLimit: 10, silentLogger)
    let address = try server.listen(
      on: try XCTUnwrap(SocketAddress(host: "127.0.0.1", port: 0)), outputTimeout: .milliseconds(50)
    )
    let port = try XCTUnwrap(address.port)

    let slow = try RedisClient(port: port, receiveBufferByteCount: 4096)
    try slow.send("GET", "big")
    let other = try RedisClient(port: port)
    try run(loop, until: "the client was closed") {
      server.information(sections: []).contains("total_connections_received:2")
        && server.information(sections: []).contains("connected_clients:1")
    }
    XCTAssertLessThan(try slow.client.readToEnd().count, Self.valueByteCount)
    try other.send("SET", "key", "value")
    try run(loop, until: "the other client was answered") {
      server.commandCount == 2 && !log.isBusy
    }
    XCTAssertEqual(try other.readAnswer(), RedisAnswer.ok)
    try end(server, loop)
  }

  private let silentLogger = Logger(label: "test") { _ in SwiftLogNoOpLogHandler() }

  private func openLog(in path: FilePath, on loop: EventLoop) throws -> Log {
    let logger = silentLogger
    var opened: Result<Log, StartFailure>?
    DataFolder.open(path, writesThrough: true, on: loop) { result in
      switch result {
      case .failure(let error): opened = .failure(error)
      case .success(let folder):
        LogReplay.begin(folder, logger) { result in
          opened = result.map {
            Log($0.file, end: $0.end, in: folder, $0.database, Log.Configuration(), logger)
          }
        }
      }
    }
    try run(loop, until: "the log was open") { opened != nil }
    return try XCTUnwrap(opened).get()
  }

  private func end(_ server: Server, _ loop: EventLoop) throws {
    var isEnded = false
    server.end { isEnded = true }
    try run(loop, until: "the server had ended") { isEnded }
  }

  private func run(_ loop: EventLoop, until what: String, _ condition: () -> Bool) throws {
    guard loop.run(until: condition, timeout: testDeadline) else {
      throw Failure("the deadline passed before \(what)")
    }
  }
}
