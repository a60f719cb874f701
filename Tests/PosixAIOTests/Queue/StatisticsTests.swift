import Glibc
import SystemPackage
import TestSupport
import XCTest

@testable import PosixAIO

/// Contract 12: the statistics add up.
final class StatisticsTests: XCTestCase {
  private final class Observer: CompletionQueueObserver {
    var operations: [String: Int] = [:]
    var areTimesRight = true

    func queue(
      _ queue: CompletionQueue, finished operation: FileError.Operation, waiting: Duration,
      service: Duration
    ) {
      operations[operation.description, default: 0] += 1
      areTimesRight = areTimesRight && waiting >= .zero && service >= .zero
    }
  }

  func test_statisticsAddUp_withGlibcItself() throws {
    try run(system: .live, script: nil)
  }

  func test_statisticsAddUp_withAScript() throws {
    let script = ScriptedSystem()
    try run(system: script, script: script)
    XCTAssertEqual(script.submitted.count { $0.isSync && $0.kind == .dataSync }, 0)
  }

  private func run(system: AIOSystem, script: ScriptedSystem?) throws {
    let folder = try TemporaryDirectory()
    let ledger = Ledger()
    let queue = try CompletionQueue(configuration: .init(), system: system)
    let observer = Observer()
    queue.observer = observer
    let file = AIOFile(try folder.open("file"), queue: queue)
    for number in 0..<300 {
      try file.write(
        IOBuffer(copying: bytes(number, count: 10)), at: Int64(number * 10), ledger.transfer())
      if number % 30 == 0 { try file.sync(ledger.sync()) }
    }
    func settle() throws {
      if let script { try script.runUntilIdle(queue) }
      try queue.runUntilIdle()
    }
    try settle()
    for number in 0..<100 {
      try file.read(
        into: IOBuffer(capacity: 10), at: Int64(number * 10),
        ledger.read(expecting: bytes(number, count: 10)))
    }
    try settle()
    file.close(ledger.sync())
    try settle()
    ledger.assertEachOnce()
    queue.assertIdle()

    let statistics = queue.statistics
    XCTAssertEqual(statistics.completedCount, UInt64(ledger.entries.count))
    XCTAssertEqual(statistics.transferredByteCount, 4000)
    XCTAssertEqual(
      [statistics.inFlightCount, statistics.waitingCount, statistics.heldByteCount], [0, 0, 0])
    // Each request is one operation, except those that the cache, another write or another sync
    // served, and the close.
    let operationCount =
      statistics.completedCount - 1 - statistics.cacheHitCount - statistics.mergedWriteCount
      - statistics.mergedSyncCount
    XCTAssertEqual(statistics.waitingTimes.count, operationCount)
    XCTAssertEqual(statistics.serviceTimes.count, operationCount)
    XCTAssertEqual(observer.operations.values.reduce(0, +), Int(operationCount))
    XCTAssertEqual(observer.operations["write"], 300 - Int(statistics.mergedWriteCount))
    XCTAssertEqual(observer.operations["sync"], 10 - Int(statistics.mergedSyncCount))
    XCTAssertEqual(
      observer.operations["read"] ?? 0, 100 - Int(statistics.cacheHitCount),
      "sync markers do not count")
    XCTAssertTrue(observer.areTimesRight)
    XCTAssertGreaterThan(statistics.wakeCount, 0)
    XCTAssertEqual(
      statistics.completionsPerWake,
      Double(statistics.completedCount) / Double(statistics.wakeCount))
    if let script {
      XCTAssertEqual(script.submitted.count { !$0.isSyncMarker }, Int(operationCount))
      XCTAssertEqual(statistics.signalCount, statistics.groupCount)
      XCTAssertEqual(script.sentSignalCount, Int(statistics.signalCount))
      XCTAssertEqual(statistics.rescuedCount, 0)
    }
  }

  func test_whatIsInHandIsCounted() throws {
    let folder = try TemporaryDirectory()
    let script = ScriptedSystem()
    let queue = try CompletionQueue(
      configuration: .with { $0.inFlightLimitPerFile = 2 }, system: script)
    let file = AIOFile(try folder.open("file"), queue: queue)
    let ledger = Ledger()
    for number in 0..<5 {
      try file.write(
        IOBuffer(copying: bytes(1, count: 10)), at: Int64(number * 100), ledger.transfer())
    }
    try file.sync(ledger.sync())
    XCTAssertEqual(queue.statistics.waitingCount, 6)
    queue.drain()
    XCTAssertEqual(queue.statistics.inFlightCount, 2)
    XCTAssertEqual(queue.statistics.waitingCount, 4)
    XCTAssertEqual(queue.statistics.heldByteCount, 50)
    XCTAssertEqual(queue.unfinishedCount, 6)
    XCTAssertEqual(queue.statistics.completedCount, 0)
    XCTAssertEqual(queue.statistics.completionsPerWake, 0)
    try script.runUntilIdle(queue)
    queue.assertIdle()
  }
}
