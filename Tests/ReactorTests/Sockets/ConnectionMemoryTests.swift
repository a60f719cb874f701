import CFaults
import Glibc
import SystemPackage
import TestSupport
import XCTest

@testable import Reactor

final class ConnectionMemoryTests: XCTestCase {
  func test_cancelledWritersLeaveNothingBehind_whileThePeerReadsNothing() throws {
    let loop = try EventLoop()
    let peers = try Peers(on: loop)
    try peers.client.write([UInt8](repeating: 1, count: 20_000_000))
    let left = loop.run { loop in
      let writer = loop.startTask { try await peers.client.flush() }
      await Task.yield()
      XCTAssertEqual(peers.client.writers.count, 1)
      writer.cancel()
      _ = await writer.result
      return peers.client.writers.count
    }
    XCTAssertEqual(left, 0)
    peers.abort()
  }

  func test_idleConnectionCostsLessThanFourKibibytes() throws {
    let loop = try EventLoop()
    let count = 300
    let pairs = try (0..<count).map { _ in
      var ends: [Int32] = [-1, -1]
      guard unsafe socketpair(AF_UNIX, Int32(SOCK_STREAM.rawValue), 0, &ends) == 0 else {
        throw Errno(rawValue: errno)
      }
      return ends
    }
    defer { for pair in pairs { close(pair[1]) } }
    let before = cfaults_heap_byte_count()
    var echoed = 0
    let connections = try pairs.map { pair in
      let connection = try Connection(adopting: FileDescriptor(rawValue: pair[0]), on: loop)
      connection.onReceive = { connection, bytes in
        expectNoThrow { try connection.write(bytes) }
        echoed += 1
        if echoed == count { loop.schedule(after: .milliseconds(5)) { loop.stop() } }
        return bytes.byteCount
      }
      connection.onClose = { _, _ in }
      return connection
    }
    // What the buffers needed when there was something to do is given back.
    let message = [UInt8](repeating: 7, count: 5000)
    for pair in pairs { XCTAssertEqual(unsafe write(pair[1], message, message.count), 5000) }
    loop.runUntilStopped()
    XCTAssertEqual(connections.reduce(0) { $0 + $1.pendingByteCount + $1.unreadByteCount }, 0)
    let used = cfaults_heap_byte_count() - before
    XCTAssertLessThan(used / count, 4096)
    for connection in connections { connection.abort() }
  }
}
