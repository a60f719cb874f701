import Glibc
import Reactor
import SystemPackage
import TestSupport
import XCTest

final class ConnectionFaultTests: XCTestCase {
  func test_resetOfThePeerIsToldOnce() throws {
    let loop = try EventLoop()
    let peers = try Peers(on: loop)
    let record = Record(of: peers.server) { loop.stop() }
    peers.client.abort(resetting: true)
    loop.runUntilStopped()
    XCTAssertEqual(record.reasons, [.failed(.connectionReset)])
    XCTAssertFalse(record.didEnd)
  }

  func test_writeIsReportedOnceWhenThePeerVanishes_andTheProcessLives() throws {
    for kind in [Peers.Kind.tcp, .unix] {
      let loop = try EventLoop()
      let peers = try Peers(kind, on: loop)
      let record = Record(of: peers.server) { loop.stop() }
      peers.client.abort(resetting: true)
      // Goes on until it is told; the first write may still seem to succeed.
      let writer = loop.schedule(every: .milliseconds(1)) { try? peers.server.write("x".utf8) }
      loop.runUntilStopped()
      writer.cancel()
      XCTAssertEqual(record.reasons.count, 1)
      let reason = try XCTUnwrap(record.reasons.first)
      XCTAssertTrue(
        [.failed(.connectionReset), .failed(.brokenPipe)].contains(reason), "\(reason)")
    }
  }

  func test_peerThatDoesNotWantTheRestIsAFailureOfTheClose() throws {
    let loop = try EventLoop()
    let peers = try Peers(on: loop)
    let record = Record(of: peers.server) { loop.stop() }
    try peers.server.write([UInt8](repeating: 1, count: 8_000_000))
    peers.server.close()
    peers.client.abort(resetting: true)
    loop.runUntilStopped()
    guard case .failed = record.reasons.first else { return XCTFail("\(record.reasons)") }
  }

  func test_silentPeerTimesOut_onlyWhileInputIsWanted() throws {
    let loop = try EventLoop()
    var limits = Connection.Configuration()
    limits.inputTimeout = .milliseconds(20)
    let peers = try Peers(on: loop, server: limits)
    let record = Record(of: peers.server) { loop.stop() }
    peers.server.pauseReceiving()
    var wasPaused = true
    loop.schedule(after: .milliseconds(60)) {
      XCTAssertTrue(peers.server.isOpen)
      wasPaused = false
      peers.server.resumeReceiving()
    }
    loop.runUntilStopped()
    XCTAssertFalse(wasPaused)
    XCTAssertEqual(record.reasons, [.timedOut(.input)])
    peers.abort()
  }

  func test_peerThatTakesNothingTimesOut() throws {
    let loop = try EventLoop()
    var limits = Connection.Configuration()
    limits.outputTimeout = .milliseconds(20)
    let peers = try Peers(on: loop, server: limits)
    let record = Record(of: peers.server) { loop.stop() }
    try peers.server.write([UInt8](repeating: 1, count: 20_000_000))
    loop.runUntilStopped()
    XCTAssertEqual(record.reasons, [.timedOut(.output)])
    peers.abort()
  }

  func test_closeIsBoundedInTime_whenThePeerTakesNothing() throws {
    let loop = try EventLoop()
    var limits = Connection.Configuration()
    limits.closeTimeout = .milliseconds(20)
    let peers = try Peers(on: loop, server: limits)
    let record = Record(of: peers.server) { loop.stop() }
    try peers.server.write([UInt8](repeating: 1, count: 20_000_000))
    peers.server.close()
    loop.runUntilStopped()
    XCTAssertEqual(record.reasons, [.timedOut(.output)])
    peers.abort()
  }

  func test_closeDoesNotWaitForEver_forAPeerThatStaysOpen() throws {
    let loop = try EventLoop()
    var limits = Connection.Configuration()
    limits.lingerTimeout = .milliseconds(20)
    let peers = try Peers(on: loop, server: limits)
    let record = Record(of: peers.server) { loop.stop() }
    peers.server.close()
    loop.runUntilStopped()
    XCTAssertEqual(record.reasons, [.local])
    XCTAssertTrue(peers.client.isOpen)
    peers.abort()
  }

  func test_fullInputBufferCostsNoTurns() throws {
    let loop = try EventLoop()
    var limits = Connection.Configuration()
    limits.inputHighWaterByteCount = 4096
    let peers = try Peers(on: loop, server: limits)
    var calls = 0
    peers.server.onReceive = { _, _ in
      calls += 1
      return 0
    }
    try peers.client.write(Pattern.block(1, byteCount: 100_000))
    loop.schedule(after: .milliseconds(20)) { loop.stop() }
    loop.runUntilStopped()
    // Once for each time that bytes came before the mark was reached.
    XCTAssertLessThanOrEqual(calls, 2)
    peers.abort()
  }

  func test_adoptionIsRefused_ofWhatIsNoConnectedSocket() throws {
    let loop = try EventLoop()
    let descriptor = try FileDescriptor.open(FilePath("/dev/null"), .readOnly)
    defer { try? descriptor.close() }
    XCTAssertThrowsError(try Connection(adopting: descriptor, on: loop)) {
      XCTAssertEqual($0 as? Errno, .notSocket)
    }
  }

  func test_adoptedSocketsTalk() throws {
    let loop = try EventLoop()
    var ends: [Int32] = [-1, -1]
    XCTAssertEqual(unsafe socketpair(AF_UNIX, Int32(SOCK_STREAM.rawValue), 0, &ends), 0)
    let one = try Connection(adopting: FileDescriptor(rawValue: ends[0]), on: loop)
    let other = try Connection(
      adopting: FileDescriptor(rawValue: ends[1]), on: loop, configuration: .closingSoon)
    XCTAssertEqual("\(one.peerAddress)", "unix:")
    let record = Record(of: other) { loop.stop() }
    other.onEndOfInput = nil
    try one.write("hello".utf8)
    one.close()
    loop.runUntilStopped()
    XCTAssertEqual(record.text, "hello")
  }
}
