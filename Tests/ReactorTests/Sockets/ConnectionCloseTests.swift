import PosixAIO
import Reactor
import SystemPackage
import TestSupport
import XCTest

/// The ends of connections, and what is left of them.
final class ConnectionCloseTests: XCTestCase {
  func test_closesWithAllThatItMayHoldUnread_whileThePeerSendsOn() throws {
    let loop = try EventLoop()
    let peers = try Peers(on: loop)
    peers.server.onReceive = { server, bytes in
      // A message that is too long.
      if bytes.byteCount == server.configuration.inputHighWaterByteCount { server.close() }
      return 0
    }
    var closeCount = 0
    peers.server.onClose = { _, _ in
      closeCount += 1
      loop.stop()
    }
    try peers.client.write(Pattern.block(1, byteCount: 1_000_000))
    peers.client.shutdownOutput()
    loop.runUntilStopped()
    XCTAssertEqual(closeCount, 1)
    peers.abort()
  }

  func test_hearsThePeerOut_withAllThatItMayHoldUnread_whenEverythingIsSentAtOnce() throws {
    let loop = try EventLoop()
    var configuration = Connection.Configuration()
    (configuration.closeTimeout, configuration.lingerTimeout) = (.seconds(3600), .seconds(3600))
    let peers = try Peers(on: loop, server: configuration)
    peers.server.onReceive = { server, bytes in
      guard bytes.byteCount == server.configuration.inputHighWaterByteCount else { return 0 }
      // The end of that turn sends it, and then there is nothing to wait for.
      loop.nextTurn {
        try? server.write([1])
        server.close()
      }
      return 0
    }
    let record = Record(of: peers.client)
    var closeCount = 0
    peers.server.onClose = { _, reason in
      XCTAssertEqual(reason, .local)
      closeCount += 1
      loop.stop()
    }
    try peers.client.write(Pattern.block(1, byteCount: 1_000_000))
    peers.client.shutdownOutput()
    loop.runUntilStopped()
    XCTAssertEqual(closeCount, 1)
    XCTAssertEqual(record.bytes, [1])
    peers.abort()
  }

  func test_bytesWrittenJustBeforeCloseArriveWhole_alsoWhenThePeerSendsMeanwhile() throws {
    for kind in [Peers.Kind.tcp, .unix] {
      let loop = try EventLoop()
      let peers = try Peers(kind, on: loop, client: .closingSoon)
      var closed = 0
      let bytes = Pattern.block(4, byteCount: 3_000_000)
      let record = Record(of: peers.client) {
        closed += 1
        if closed == 2 { loop.stop() }
      }
      peers.client.onEndOfInput = nil
      peers.server.onClose = { _, reason in
        XCTAssertEqual(reason, .local)
        closed += 1
        if closed == 2 { loop.stop() }
      }
      // It is never read; a close with it in the kernel's buffer would be a reset.
      try peers.client.write(Pattern.block(5, byteCount: 500_000))
      try peers.server.write(bytes)
      peers.server.close()
      XCTAssertFalse(peers.server.isOpen)
      XCTAssertNil(peers.server.closeReason)
      loop.runUntilStopped()
      XCTAssertTrue(record.bytes == bytes)
      XCTAssertEqual(record.reasons, [.endOfInput])
    }
  }

  func test_closeIsToldOnce_andNeverFromInsideTheCall() throws {
    let loop = try EventLoop()
    let peers = try Peers(on: loop)
    var isInside = true
    let record = Record(of: peers.client) {
      XCTAssertFalse(isInside)
      loop.schedule(after: .milliseconds(5)) { loop.stop() }
    }
    peers.client.close()
    peers.client.abort()
    peers.client.abort()
    peers.client.close()
    isInside = false
    XCTAssertEqual(peers.client.closeReason, .local)
    loop.runUntilStopped()
    XCTAssertEqual(record.reasons, [.local])
    peers.abort()
  }

  func test_connectionMayBeClosedInAnyOfItsHandlers() throws {
    typealias Ending = (Connection) -> Void
    for end: Ending in [{ $0.abort() }, { $0.close() }, { $0.abort(resetting: true) }] {
      for handler in ["receive", "end", "drained", "close"] {
        let loop = try EventLoop()
        var limits = Connection.Configuration()
        limits.outputHighWaterByteCount = 1
        limits.outputLowWaterByteCount = 0
        let peers = try Peers(on: loop, server: limits)
        let record = Record(of: peers.server) {
          if handler == "close" { end(peers.server) }
          loop.stop()
        }
        switch handler {
        case "receive":
          peers.server.onReceive = { server, bytes in
            end(server)
            return bytes.byteCount
          }
        case "end": peers.server.onEndOfInput = end
        case "drained":
          peers.server.onDrained = end
          try peers.server.write("xx".utf8)
        default: peers.server.abort()
        }
        try peers.client.write("abc".utf8)
        peers.client.shutdownOutput()
        loop.runUntilStopped()
        XCTAssertEqual(record.reasons, [.local], handler)
        peers.abort()
      }
    }
  }

  func test_writeToAClosedConnectionIsRefused() throws {
    let loop = try EventLoop()
    let peers = try Peers(on: loop)
    peers.client.abort()
    XCTAssertThrowsError(try peers.client.write("x".utf8)) {
      XCTAssertEqual($0 as? Errno, .brokenPipe)
    }
    XCTAssertEqual(peers.client.pendingByteCount, 0)
    XCTAssertEqual(peers.client.unreadByteCount, 0)
    peers.client.shutdownOutput()
    peers.client.resumeReceiving()
    peers.server.abort()
  }

  // MARK: Hygiene

  func test_connectionLivesAsLongAsItIsOpen_andNoLonger() throws {
    let loop = try EventLoop()
    weak var client: Connection?
    weak var server: Connection?
    var reply = ""
    do {
      let peers = try Peers(on: loop)
      client = peers.client
      server = peers.server
      peers.server.onReceive = { server, bytes in
        try? server.write(bytes)
        return bytes.byteCount
      }
      peers.client.onReceive = { [client = peers.client] _, bytes in
        reply = String(decoding: Array(bytes), as: UTF8.self)
        client.close()
        return bytes.byteCount
      }
      peers.client.onClose = { _, _ in loop.stop() }
      try peers.client.write("kept".utf8)
    }
    loop.runUntilStopped()
    XCTAssertEqual(reply, "kept")
    loop.schedule(after: .milliseconds(1)) { loop.stop() }
    loop.runUntilStopped()
    XCTAssertNil(client)
    XCTAssertNil(server)
  }

  func test_handlersAreReleased_whenTheyAreSetAfterTheClose() throws {
    let loop = try EventLoop()
    weak var connection: Connection?
    weak var listener: Listener?
    try autoreleased {
      let peers = try Peers(on: loop)
      peers.abort()
      connection = peers.client
      for closed in [peers.client, peers.server] {
        closed.onReceive = { _, _ in closed.unreadByteCount }
        closed.onEndOfInput = { _ in closed.close() }
        closed.onDrained = { _ in closed.close() }
        closed.onClose = { _, _ in closed.close() }
        XCTAssertNil(closed.onClose)
      }
      let other = try Listener(on: loop, .loopback(port: 0))
      other.close()
      other.onConnection = { _ in other.close() }
      other.onError = { _ in other.close() }
      listener = other
    }
    XCTAssertNil(connection)
    XCTAssertNil(listener)
  }

  func test_closeIsReported_toAHandlerThatIsSetBetweenTheAbortAndTheReport() throws {
    let loop = try EventLoop()
    let peers = try Peers(on: loop)
    var reasons: [Connection.CloseReason] = []
    peers.client.abort()
    peers.client.onClose = { reasons.append($1) }
    peers.abort()
    XCTAssertEqual(reasons, [.local])
  }

  func test_descriptorsComeBack_whenConnectionsCloseOrTheLoopGoes() throws {
    let before = try openDescriptors()
    for closes in [true, false] {
      var loop: EventLoop? = try EventLoop()
      weak var server: Connection?
      try autoreleased {
        let peers = try Peers(on: try XCTUnwrap(loop))
        server = peers.server
        peers.server.onReceive = { [server = peers.server] _, _ in server.unreadByteCount }
        try peers.client.write("unsent".utf8)
        if closes { peers.abort() }
      }
      loop = nil
      XCTAssertNil(server)
    }
    XCTAssertEqual(try openDescriptors(), before)
  }

  private func autoreleased(_ body: () throws -> Void) rethrows { try body() }
}
