import Glibc
import PosixAIO
import SystemPackage
import TestSupport
import XCTest

@testable import Reactor

/// How ranges of files end with their connection, in every state.
final class FileRangeEndTests: FileRangeTestCase {
  private enum State: CaseIterable { case queued, begun, socketIsFull }

  private enum End: CaseIterable {
    case abort, abortInHandler, closeTimesOut, peerCloses, loopCloses, loopIsDropped
  }

  /// Shows what was called, in order.
  private final class Events {
    var list: [String] = []
    var byteCountsDone: [Int64] = []
  }

  func test_rangesAreToldOnceAndBeforeOnClose_howeverTheConnectionEnds() throws {
    let before = try openDescriptors()
    let folder = try TemporaryDirectory()
    let bytes = Pattern.block(4, byteCount: 1_000_000)
    try folder.write(bytes, to: "file")
    for warmth in [Warmth.warm, .cold, .everyOtherPart] {
      for state in State.allCases {
        // Its handler comes before the socket is full.
        for end in End.allCases where end != .abortInHandler || state == .queued {
          try warm(folder.path.appending("file"), warmth)
          try run(folder, bytes, state, end, "\(warmth), \(state), \(end)")
        }
      }
    }
    XCTAssertEqual(try openDescriptors(), before)
  }

  private func run(
    _ folder: TemporaryDirectory, _ bytes: [UInt8], _ state: State, _ end: End, _ message: String
  ) throws {
    let events = Events()
    var loop: EventLoop? = try makeLoop()
    var configuration = Connection.Configuration()
    configuration.closeTimeout = .milliseconds(1)
    let socket = try AdoptedSocket(
      on: try XCTUnwrap(loop), configuration, sendBufferByteCount: 4096)
    try write(
      to: socket.connection, try XCTUnwrap(loop).open(folder.path.appending("file")), events,
      abortsInHandler: end == .abortInHandler)
    try reach(state, try XCTUnwrap(loop), socket)
    var received: [UInt8] = []
    switch end {
    case .abort: socket.connection.abort()
    case .abortInHandler: loop?.wait { socket.take(into: &received) && events.list.count > 0 }
    case .closeTimesOut: socket.connection.close()
    case .peerCloses:
      while socket.take(into: &received) {}
      socket.closePeer()
    case .loopCloses:
      loop?.close()
      loop = nil
    case .loopIsDropped: loop = nil
    }
    loop?.run(until: { events.list.last == "closed" }, timeout: testDeadline)
    while socket.take(into: &received) {}
    XCTAssertEqual(events.list.map { $0.prefix(1) }, ["0", "1", "2", "c"], message)
    let firstLost = events.list.firstIndex { $0.hasSuffix("lost") } ?? 0
    XCTAssertFalse(events.list[firstLost...].contains { $0.hasSuffix("sent") }, message)
    XCTAssertEqual(events.list.contains("0 sent"), events.byteCountsDone[0] == 100, message)
    XCTAssertTrue(events.list.contains("1 lost"), message)
    if end == .abortInHandler { XCTAssertEqual(events.list[0], "0 sent", message) }
    if state == .queued, end == .abort { XCTAssertEqual(events.list[0], "0 lost", message) }
    // What was counted is what got there, and in its place.
    let sent = Int(events.byteCountsDone.reduce(0, +))
    if end != .peerCloses { XCTAssertEqual(received.count, sent, message) }
    XCTAssertTrue(received == Array((bytes[..<100] + bytes)[..<received.count]), message)
  }

  /// A small range, a large one, and an empty one.
  private func write(
    to connection: Connection, _ file: File, _ events: Events, abortsInHandler: Bool
  ) throws {
    for (number, byteCount) in [100, 1_000_000, 0].enumerated() {
      connection.write(file, 0..<Int64(byteCount)) { [weak connection] result in
        switch result {
        case .success(let count):
          events.list.append("\(number) sent")
          events.byteCountsDone.append(count)
        case .failure(let error):
          if case .connection = error.reason {} else { XCTFail("\(error)") }
          events.list.append("\(number) lost")
          events.byteCountsDone.append(error.byteCountDone)
        }
        if abortsInHandler { connection?.abort() }
      }
    }
    connection.onClose = { _, _ in events.list.append("closed") }
  }

  private func reach(_ state: State, _ loop: EventLoop, _ socket: AdoptedSocket) throws {
    let connection = socket.connection
    switch state {
    case .queued: break
    // Of a cold file, the first bytes are being read.
    case .begun: loop.wait { connection.socket.sending != .endOfTurn }
    case .socketIsFull: loop.wait { connection.socket.sending == .socket }
    }
  }

  func test_smallRangesAreToldInOrder_withTheBytesThatGotThere_whenTheConnectionEnds() throws {
    let (folder, loop) = (try TemporaryDirectory(), try makeLoop())
    let bytes = Pattern.block(8, byteCount: 5000)
    try folder.write(bytes, to: "file")
    let path = folder.path.appending("file")
    try warm(path, .warm)
    let file = try loop.open(path)
    let socket = try AdoptedSocket(on: loop, sendBufferByteCount: 4096)
    let outcomes = RangeOutcomes()
    // The first twelve are copied at once; then more is waiting than may.
    for _ in 0..<30 { socket.connection.write(file, 0..<5000, outcomes.note) }
    XCTAssertEqual(socket.connection.pendingByteCount, 30 * 5000)
    loop.wait { socket.connection.socket.sending == .socket }
    let sent = Int(socket.connection.sentByteCount)
    XCTAssertGreaterThan(30 * 5000, sent)
    socket.connection.abort()
    loop.wait { outcomes.results.count == 30 }
    var counts: [Int] = []
    for result in outcomes.results {
      switch result {
      case .success(let count): counts.append(Int(count))
      case .failure(let error):
        XCTAssertEqual(error.reason, .connection(.local))
        counts.append(Int(error.byteCountDone))
      }
    }
    XCTAssertEqual(counts.reduce(0, +), sent)
    XCTAssertEqual(counts, counts.sorted(by: >))
    socket.end()
  }

  func test_smallRangeMakesNoWriteOverTheLimit() throws {
    let (folder, loop) = (try TemporaryDirectory(), try makeLoop())
    try folder.write(Pattern.block(9, byteCount: 5000), to: "file")
    let file = try loop.open(folder.path.appending("file"))
    var limits = Connection.Configuration()
    (limits.outputHighWaterByteCount, limits.outputLowWaterByteCount) = (4000, 4000)
    limits.outputLimitByteCount = 4000
    let socket = try AdoptedSocket(on: loop, limits, sendBufferByteCount: 4096)
    socket.connection.write(file, 0..<5000)
    XCTAssertFalse(socket.connection.isCongested)
    XCTAssertNoThrow(try socket.connection.write([UInt8](repeating: 1, count: 4000)))
    socket.end()
  }

  func test_cancelledSendLeavesItsPlace_andWhatIsBehindItFollows() throws {
    let (folder, loop) = (try TemporaryDirectory(), try makeLoop())
    let bytes = Pattern.block(5, byteCount: 1_000_000)
    try folder.write(bytes, to: "file")
    let path = folder.path.appending("file")
    for warmth in [Warmth.warm, .cold] {
      for isFirst in [true, false] {
        try warm(path, warmth)
        let file = try loop.open(path)
        let socket = try AdoptedSocket(on: loop, sendBufferByteCount: 4096)
        let outcomes = RangeOutcomes()
        if !isFirst { socket.connection.write(file, 0..<100_000) { _ in } }
        let pump = file.send(to: socket.connection) { outcomes.note($0) }
        try socket.connection.write([1, 2, 3])
        loop.wait { socket.connection.sentByteCount > 0 }
        pump.cancel()
        loop.wait { !outcomes.results.isEmpty }
        guard case .failure(let error) = outcomes.results[0] else { return XCTFail("sent") }
        XCTAssertEqual(error.reason, .canceled)
        let done = Int(error.byteCountDone)
        if !isFirst { XCTAssertEqual(done, 0) }
        let expected = (isFirst ? [] : bytes[..<100_000]) + bytes[..<done] + [1, 2, 3]
        assertReceived(Array(expected), from: socket, "\(warmth)")
        XCTAssertEqual(outcomes.results.count, 1)
        socket.end()
      }
    }
  }

  func test_writersAndFlushesAreToldByWhatIsInMemory_orEverything() throws {
    let (folder, loop) = (try TemporaryDirectory(), try makeLoop())
    try folder.write(Pattern.block(6, byteCount: 1_000_000), to: "file")
    let file = try loop.open(folder.path.appending("file"))
    var limits = Connection.Configuration()
    (limits.outputHighWaterByteCount, limits.outputLowWaterByteCount) = (1000, 0)
    limits.outputLimitByteCount = 2000
    let socket = try AdoptedSocket(on: loop, limits, sendBufferByteCount: 4096)
    let connection = socket.connection
    connection.write(file, 0..<1_000_000) { _ in }
    XCTAssertFalse(connection.isCongested)
    XCTAssertEqual(connection.pendingByteCount, 1_000_000)
    try connection.write([UInt8](repeating: 1, count: 1500))
    XCTAssertTrue(connection.isCongested)
    XCTAssertThrowsError(try connection.write([UInt8](repeating: 1, count: 501))) {
      XCTAssertEqual($0 as? Errno, .noBufferSpace)
    }
    var isFlushed = false
    var isDrained = false
    connection.onDrained = { _ in isDrained = true }
    loop.startTask {
      do {
        try await connection.flush()
        isFlushed = true
      } catch {
        XCTFail("\(error)")
      }
    }
    XCTAssertEqual(socket.receive(1_001_500).count, 1_001_500)
    loop.wait { isFlushed && isDrained }
    XCTAssertEqual(connection.pendingByteCount, 0)
    socket.end()
  }
}
