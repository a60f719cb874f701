import CPosixAIO
import Glibc
import SystemPackage
import TestSupport
import XCTest

@testable import PosixAIO

/// Contract 9, deadlines. What is to be late is held by a scripted libc, so that nothing depends on
/// speed.
final class DeadlineTests: ScriptedQueueTestCase {
  /// Lets deadlines of up to this many milliseconds pass, without a drain.
  private func pass(milliseconds: Int32) {
    let end = caio_now() + UInt64(milliseconds) * 1_000_000
    // The monotonic clock, so that nothing but time ends it.
    while caio_now() < end { _ = poll(nil, 0, 1) }
  }

  func test_requestThatWaitsTimesOut_andNothingIsWritten() throws {
    try makeQueue { $0.inFlightLimit = 1 }
    let other = AIOFile(try folder.open("other"), queue: queue)
    try other.write(IOBuffer(copying: [1]), at: 0, ledger.transfer())
    queue.drain()
    for number in 0..<5 {
      try file.write(
        IOBuffer(copying: [1]), at: Int64(number), timeout: .milliseconds(1), ledger.transfer())
    }
    try file.sync(timeout: .milliseconds(2), ledger.sync())
    try queue.run { queue.unfinishedCount == 1 }
    XCTAssertEqual(ledger[6], .failed(.timedOut))
    try settle()
    XCTAssertEqual(ledger[0], .moved(1))
    ledger.assertAll(.failed(.timedOut), in: 1..<6)
    XCTAssertEqual(try folder.contents(of: "file"), [])
    XCTAssertEqual(queue.statistics.abandonedCount, 0)
  }

  func test_requestThatRunsIsAnsweredOnTime_andGoesOnUnseen() throws {
    try makeQueue { $0.disableBackstop() }
    try file.write(
      IOBuffer(copying: bytes(3, count: 50)), at: 0, timeout: .milliseconds(1), ledger.transfer())
    try queue.runUntilIdle()
    XCTAssertEqual(ledger[0], .failed(.timedOut))
    XCTAssertEqual(queue.hot.heldByteCount, 50)
    XCTAssertEqual(queue.statistics.abandonedCount, 1)
    system.endAll()
    queue.drain()
    try settle()
    XCTAssertEqual(try folder.contents(of: "file"), bytes(3, count: 50))
  }

  func test_bufferThatReplacesATimedOutOneIsRefused_andIsNotTheEndOfTheFile() throws {
    try makeQueue {
      $0.disableBackstop()
      $0.readsCacheFirst = false
    }
    let timeout = Duration.milliseconds(1)
    var refusals: [Errno?] = []
    let handler: CompletionQueue.TransferHandler = { [self] result, buffer in
      guard case .failure(let error) = result else { return XCTFail("it timed out") }
      XCTAssertEqual(error.errno, .timedOut)
      XCTAssertEqual(buffer.capacity, 0)
      let unexpected: CompletionQueue.TransferHandler = { _, _ in XCTFail("it was refused") }
      _ = file.read(into: buffer, byteCount: 20, at: 0, timeout: nil, unexpected) {
        refusals.append($0)
        _ = file.write($1, at: 0, timeout: nil, unexpected) { reason, _ in
          refusals.append(reason)
        }
      }
    }
    try file.read(into: IOBuffer(capacity: 20), at: 0, timeout: timeout, handler)
    try queue.runUntilIdle()
    system.endAll()
    queue.drain()
    try file.write(IOBuffer(copying: [1]), at: 0, timeout: timeout, handler)
    try queue.runUntilIdle()
    system.endAll()
    queue.drain()
    XCTAssertEqual(refusals, [Errno?](repeating: .noBufferSpace, count: 4))
    try settle()
  }

  func test_readWithoutCapacityIsRefused_andAnEmptyWriteIsNot() throws {
    for byteCount in [nil, 0, 1] {
      XCTAssertThrowsError(
        try file.read(into: IOBuffer(capacity: 0), byteCount: byteCount, at: 0) { _, _ in
          XCTFail("it was refused")
        }
      ) { XCTAssertEqual($0 as? Errno, .noBufferSpace) }
    }
    try file.write(IOBuffer(capacity: 0), at: 0, ledger.transfer())
    try file.read(into: IOBuffer(capacity: 1), byteCount: 0, at: 0, ledger.transfer())
    try settle()
    ledger.assertAll(.moved(0))
  }

  func test_requestInLineBehindAnotherIsTakenBackFromGlibc() throws {
    try makeQueue {
      $0.disableBackstop()
      $0.mergesWrites = false
    }
    try file.write(IOBuffer(copying: [1]), at: 0, ledger.transfer())
    try file.write(IOBuffer(copying: [2]), at: 1, timeout: .milliseconds(1), ledger.transfer())
    queue.drain()
    XCTAssertEqual(system.held.count, 2)
    try queue.run { ledger.called == [1] }
    XCTAssertEqual(ledger[1], .failed(.timedOut))
    XCTAssertEqual(system.held.count, 1)
    try settle()
    XCTAssertEqual(try folder.contents(of: "file"), [1])
    XCTAssertEqual(queue.statistics.abandonedCount, 0)
  }

  func test_requestThatIsDoneIsNotTimedOut_whenItIsSeenTooLate() throws {
    for losesSignals in [false, true] {
      system.losesSignals = losesSignals
      try makeQueue { $0.disableBackstop() }
      let first = ledger.entries.count
      try file.write(IOBuffer(copying: [1]), at: 0, timeout: .milliseconds(1), ledger.transfer())
      queue.drain()
      system.endAll()
      pass(milliseconds: 2)
      try queue.runUntilIdle()
      XCTAssertEqual(ledger[first], .moved(1))
      queue.assertIdle()
    }
  }

  func test_memberOfAMergedWriteTimesOut_andTheOthersHaveTheirCounts() throws {
    for number in 0..<6 {
      try file.write(
        IOBuffer(copying: bytes(number, count: 10)), at: Int64(number * 10),
        timeout: number % 2 == 0 ? .milliseconds(1) : .seconds(3600), ledger.transfer())
    }
    queue.drain()
    XCTAssertEqual(system.held.map(\.byteCount), [60])
    try queue.run { queue.unfinishedCount == 3 }
    try settle()
    for number in 0..<6 {
      XCTAssertEqual(ledger[number], number % 2 == 0 ? .failed(.timedOut) : .moved(10))
    }
    XCTAssertEqual(
      try folder.contents(of: "file"), (0..<6).flatMap { bytes($0, count: 10) })
  }

  func test_syncTimesOut_parkedRunningOrServedByAnother() throws {
    try file.sync(ledger.sync())
    queue.drain()
    for _ in 0..<2 {
      try file.sync(timeout: .milliseconds(1), ledger.sync())
      try file.sync(ledger.sync())
    }
    system.endAll()
    queue.drain()
    try file.write(IOBuffer(copying: [1]), at: 0, ledger.transfer())
    try file.sync(timeout: .milliseconds(1), ledger.sync())
    try queue.run { queue.unfinishedCount == 3 }
    try settle()
    XCTAssertEqual(
      ledger.entries,
      [
        [.done], [.failed(.timedOut)], [.done], [.failed(.timedOut)], [.done], [.moved(1)],
        [.failed(.timedOut)],
      ])
    // A sync in time is as good as ever.
    try file.sync(timeout: .seconds(3600), ledger.sync())
    try settle()
    XCTAssertEqual(ledger[7], .done)
  }

  func test_manyDeadlinesPassInTheirOrder() throws {
    let seed = testSeed()
    var random = SeededGenerator(seed: seed)
    try makeQueue { $0.inFlightLimitPerFile = 1 }
    try file.read(into: IOBuffer(capacity: 1), at: 0, ledger.transfer())
    let delays = (0..<500).map { _ in Int.random(in: 1...20_000, using: &random) }
    for delay in delays {
      try file.write(
        IOBuffer(copying: [1]), at: 0, timeout: .microseconds(20_000 + delay), ledger.transfer())
    }
    var deadlines: [UInt64] = []
    for number in 1...500 {
      deadlines.append(
        try XCTUnwrap(queue.pool.slot(UInt32(number)), "seed \(seed)").pointee.deadline)
    }
    pass(milliseconds: 60)
    queue.drain()
    while queue.drain() > 0 {}
    let order = ledger.order.filter { $0 > 0 }
    ledger.assertAll(.failed(.timedOut), in: 1..<501)
    let passed = order.map { deadlines[$0 - 1] }
    XCTAssertEqual(passed, passed.sorted(), "seed \(seed)")
    try settle()
  }
}
