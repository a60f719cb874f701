import PosixAIO
import Reactor
import SystemPackage
import TestSupport
import XCTest

/// Buffers that a connection gives back when it has sent them.
final class LentBufferTests: XCTestCase {
  func test_buffersOfAllSizesComeBackInOrder_whenTheKernelHasTheirBytes() throws {
    let seed = testSeed()
    var random = SeededGenerator(seed: seed)
    let loop = try EventLoop()
    let socket = try AdoptedSocket(on: loop, sendBufferByteCount: 4096)
    let connection = socket.connection
    var expected: [UInt8] = []
    var ends: [Int64] = []
    var isInsideCall = false
    var returned = 0
    for _ in 0..<150 {
      let most = [0, 1, 100, 4096, 70_000].randomElement(using: &random) ?? 0
      let bytes = Pattern.block(
        expected.count, byteCount: Int.random(in: 0...most, using: &random))
      expected += bytes
      guard random.oneIn(3) else {
        try connection.write(bytes)
        continue
      }
      let end = Int64(expected.count)
      let number = ends.count
      ends.append(end)
      isInsideCall = true
      connection.write(IOBuffer(copying: bytes)) { outcome, buffer in
        XCTAssertFalse(isInsideCall, "seed \(seed)")
        XCTAssertEqual(outcome, .sent, "seed \(seed)")
        XCTAssertEqual(returned, number, "seed \(seed)")
        XCTAssertGreaterThanOrEqual(connection.sentByteCount, end, "seed \(seed)")
        XCTAssertTrue(Array(buffer) == bytes, "seed \(seed)")
        returned += 1
      }
      isInsideCall = false
    }
    let received = socket.receive(expected.count)
    XCTAssertTrue(received == expected, "seed \(seed)")
    XCTAssertTrue(loop.run(until: { returned == ends.count }, timeout: testDeadline))
    XCTAssertEqual(connection.sentByteCount, Int64(expected.count))
    socket.end()
  }

  func test_emptyBufferComesBack_alsoAlone() throws {
    let loop = try EventLoop()
    let socket = try AdoptedSocket(on: loop)
    var outcomes: [Connection.WriteOutcome] = []
    socket.connection.write(IOBuffer(capacity: 10)) { outcome, buffer in
      XCTAssertEqual(buffer.capacity, 10)
      outcomes.append(outcome)
    }
    socket.connection.shutdownOutput()
    XCTAssertTrue(loop.run(until: { !outcomes.isEmpty }, timeout: testDeadline))
    XCTAssertEqual(outcomes, [.sent])
    socket.end()
  }

  func test_buffersComeBackOnceAndBeforeOnClose_howeverTheConnectionEnds() throws {
    enum End: CaseIterable { case abort, abortInHandler, peer, loopCloses, loopIsDropped }
    for end in End.allCases {
      let events = Events()
      var loop: EventLoop? = try EventLoop()
      let socket = try AdoptedSocket(on: try XCTUnwrap(loop), sendBufferByteCount: 4096)
      try write(to: socket.connection, events, abortsInHandler: end == .abortInHandler)
      switch end {
      case .abort: socket.connection.abort()
      case .abortInHandler: break
      case .peer: socket.closePeer()
      case .loopCloses:
        loop?.close()
        loop = nil
      case .loopIsDropped: loop = nil
      }
      if end == .abort { XCTAssertEqual(events.list, []) }
      loop?.run(until: { events.list.last == "closed" }, timeout: testDeadline)
      let first = end == .abortInHandler ? "sent" : "connectionClosed"
      XCTAssertEqual(
        events.list,
        ["0 \(first)", "1 connectionClosed", "2 connectionClosed", "closed"], "\(end)")
    }
  }

  /// What was called, in order.
  private final class Events {
    var list: [String] = []
  }

  /// A small buffer, one that the socket does not take whole, and an empty one.
  private func write(
    to connection: Connection, _ events: Events, abortsInHandler: Bool
  ) throws {
    for (number, byteCount) in [100, 1_000_000, 0].enumerated() {
      let bytes = [UInt8](repeating: UInt8(number), count: byteCount)
      connection.write(IOBuffer(copying: bytes)) { [weak connection] outcome, buffer in
        XCTAssertEqual(buffer.count, byteCount)
        events.list.append("\(number) \(outcome)")
        if abortsInHandler { connection?.abort() }
      }
    }
    connection.onClose = { _, _ in events.list.append("closed") }
  }

  func test_progressIsReported_withEveryCountUpToDate() throws {
    let loop = try EventLoop()
    let socket = try AdoptedSocket(on: loop, sendBufferByteCount: 4096)
    let connection = socket.connection
    var reported: [Int64] = []
    var isInsideCall = true
    connection.onProgress = {
      XCTAssertFalse(isInsideCall)
      XCTAssertEqual(connection.sentByteCount + Int64(connection.pendingByteCount), 100_000)
      reported.append(connection.sentByteCount)
    }
    try connection.write([UInt8](repeating: 1, count: 100_000))
    isInsideCall = false
    XCTAssertEqual(socket.receive(100_000).count, 100_000)
    XCTAssertTrue(loop.run(until: { reported.last == 100_000 }, timeout: testDeadline))
    XCTAssertEqual(reported, Array(Set(reported)).sorted())
    XCTAssertGreaterThan(reported.count, 1)
    connection.onProgress = nil
    socket.end()
  }

  func test_bufferOverTheLimitIsRefused_andComesBack() throws {
    let loop = try EventLoop()
    var limits = Connection.Configuration()
    (limits.outputLimitByteCount, limits.outputHighWaterByteCount) = (10, 10)
    limits.outputLowWaterByteCount = 0
    let socket = try AdoptedSocket(on: loop, limits)
    let connection = socket.connection
    var outcomes: [Connection.WriteOutcome] = []
    var buffers: [[UInt8]] = []
    connection.write(IOBuffer(copying: [UInt8](0..<11))) { outcome, buffer in
      outcomes.append(outcome)
      buffers.append(Array(buffer))
    }
    XCTAssertEqual(outcomes, [], "it is reported in the next turn")
    socket.end()
    connection.write(IOBuffer(copying: [1])) { outcome, buffer in
      outcomes.append(outcome)
      buffers.append(Array(buffer))
    }
    loop.wait { outcomes.count == 2 }
    XCTAssertEqual(outcomes, [.refused(.noBufferSpace), .refused(.brokenPipe)])
    XCTAssertEqual(buffers, [[UInt8](0..<11), [1]])
  }
}
