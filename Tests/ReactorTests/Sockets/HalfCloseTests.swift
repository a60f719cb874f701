import PosixAIO
import Reactor
import SystemPackage
import TestSupport
import XCTest

/// A client that ends its side when it has asked, as `nc -N` does, and a server that has no
/// ``Connection/onEndOfInput``.
final class HalfCloseTests: XCTestCase {
  /// - Returns: The client's side, which has ended.
  private func ask(
    _ loop: EventLoop, _ configuration: Connection.Configuration = .init(),
    _ text: String = "ask\n",
    serve: (Connection) -> Void
  ) throws -> (server: Connection, record: Record, peers: Peers) {
    let peers = try Peers(on: loop, server: configuration)
    let record = Record(of: peers.client) { loop.stop() }
    serve(peers.server)
    peers.client.onEndOfInput = { $0.close() }
    try peers.client.write(text.utf8)
    peers.client.shutdownOutput()
    return (peers.server, record, peers)
  }

  private var patient: Connection.Configuration {
    var configuration = Connection.Configuration()
    configuration.halfClosedTimeout = .seconds(3600)
    return configuration
  }

  func test_closesAtOnce_whenEachCallOfTheReceiveHandlerHasWritten() throws {
    let loop = try EventLoop()
    // A time-out that waited would outlast the test.
    let (_, record, peers) = try ask(loop, patient) { server in
      server.onReceive = { server, bytes in
        expectNoThrow { try server.write(bytes) }
        return bytes.byteCount
      }
    }
    loop.runUntilStopped()
    XCTAssertEqual(record.text, "ask\n")
    peers.abort()
  }

  func test_responseOfAFileArrives_longAfterTheEndOfInput() throws {
    let (folder, loop) = (try TemporaryDirectory(), try EventLoop())
    try folder.write(Array("response".utf8), to: "file")
    let file = try loop.open(folder.path.appending("file"))
    let (_, record, peers) = try ask(loop, patient) { server in
      server.onReceive = { server, bytes in
        loop.schedule(after: .milliseconds(10)) {
          file.read(into: IOBuffer(capacity: 100), at: 0) { _, buffer in
            XCTAssertTrue(server.hasEnded)
            let bytes = Array(buffer)
            expectNoThrow { try server.write(bytes) }
          }
        }
        return bytes.byteCount
      }
    }
    loop.wait { record.text == "response" }
    peers.abort()
  }

  func test_responseOfALaterTurnArrives_andThenTheConnectionCloses() throws {
    let loop = try EventLoop()
    var configuration = Connection.Configuration()
    configuration.halfClosedTimeout = .milliseconds(50)
    var reasons: [Connection.CloseReason] = []
    let (server, record, peers) = try ask(loop, configuration) { server in
      server.onReceive = { server, bytes in
        // The timeout's timer begins later and is longer, so this one fires first.
        loop.schedule(after: .milliseconds(10)) {
          XCTAssertTrue(server.isOpen)
          expectNoThrow { try server.write("response".utf8) }
        }
        return bytes.byteCount
      }
      server.onClose = { _, reason in reasons.append(reason) }
    }
    loop.runUntilStopped()
    XCTAssertEqual(record.text, "response")
    loop.wait { !reasons.isEmpty }
    XCTAssertEqual(reasons, [.endOfInput])
    XCTAssertThrowsError(try server.write([1])) { XCTAssertEqual($0 as? Errno, .brokenPipe) }
    peers.abort()
  }

  func test_responsesInSeveralStepsArrive_whenEachComesWithinTheTime() throws {
    let loop = try EventLoop()
    var configuration = Connection.Configuration()
    configuration.halfClosedTimeout = .seconds(1)
    let (_, record, peers) = try ask(loop, configuration, "3") { server in
      server.onReceive = { server, bytes in
        var left = 3
        func step() {
          expectNoThrow { try server.write("\(left)".utf8) }
          left -= 1
          if left > 0 { loop.schedule(after: .milliseconds(20), step) } else { server.close() }
        }
        loop.schedule(after: .milliseconds(20), step)
        return bytes.byteCount
      }
    }
    loop.runUntilStopped()
    XCTAssertEqual(record.text, "321")
    peers.abort()
  }

  func test_staysOpen_whilePausedAfterTheEndOfInput() throws {
    let loop = try EventLoop()
    var configuration = Connection.Configuration()
    configuration.halfClosedTimeout = .milliseconds(10)
    var isRead = false
    let (server, record, peers) = try ask(loop, configuration) { server in
      server.onReceive = { _, bytes in
        isRead = true
        return bytes.byteCount
      }
    }
    loop.wait { isRead && server.hasEnded }
    server.pauseReceiving()
    loop.run(for: configuration.halfClosedTimeout * 5)
    XCTAssertTrue(server.isOpen)
    try server.write("late".utf8)
    server.resumeReceiving()
    loop.runUntilStopped()
    XCTAssertEqual(record.text, "late")
    peers.abort()
  }

  func test_loopEnds_whileAHalfClosedConnectionIsWaitedFor() throws {
    let loop = try EventLoop()
    var reasons: [Connection.CloseReason] = []
    var isRead = false
    let (server, _, _) = try ask(loop, patient) { server in
      server.onReceive = { _, bytes in
        isRead = true
        return bytes.byteCount
      }
      server.onClose = { _, reason in reasons.append(reason) }
    }
    loop.wait { isRead && server.hasEnded }
    XCTAssertTrue(server.isOpen)
    loop.close()
    XCTAssertEqual(reasons, [.local])
  }
}
