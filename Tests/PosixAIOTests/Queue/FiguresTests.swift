import Glibc
import SystemPackage
import TestSupport
import XCTest

@testable import PosixAIO

/// Contract 12: the figures add up.
final class FiguresTests: XCTestCase {
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

  func test_figuresAddUp_withGlibcItself() throws {
    try run(system: .live, script: nil)
  }

  func test_figuresAddUp_withAScript() throws {
    let script = ScriptedSystem()
    try run(system: script, script: script)
    XCTAssertEqual(script.submitted.count { $0.isSync && $0.kind == .dataSync }, 0)
  }

  private func run(system: AIOSystem, script: ScriptedSystem?) throws {
    let folder = try TemporaryFolder()
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

    let figures = queue.figures
    XCTAssertEqual(figures.completedCount, UInt64(ledger.entries.count))
    XCTAssertEqual(figures.transferredByteCount, 4000)
    XCTAssertEqual(
      [figures.inFlightCount, figures.waitingCount, figures.heldByteCount], [0, 0, 0])
    // Each request is one operation, except those that the cache, another write or another sync
    // served, and the close.
    let operationCount =
      figures.completedCount - 1 - figures.cacheHitCount - figures.mergedWriteCount
      - figures.mergedSyncCount
    XCTAssertEqual(figures.waitingTimes.count, operationCount)
    XCTAssertEqual(figures.serviceTimes.count, operationCount)
    XCTAssertEqual(observer.operations.values.reduce(0, +), Int(operationCount))
    XCTAssertEqual(observer.operations["write"], 300 - Int(figures.mergedWriteCount))
    XCTAssertEqual(observer.operations["sync"], 10 - Int(figures.mergedSyncCount))
    XCTAssertEqual(
      observer.operations["read"] ?? 0, 100 - Int(figures.cacheHitCount), "doorbells don't count")
    XCTAssertTrue(observer.areTimesRight)
    XCTAssertGreaterThan(figures.wakeCount, 0)
    XCTAssertEqual(
      figures.completionsPerWake, Double(figures.completedCount) / Double(figures.wakeCount))
    if let script {
      XCTAssertEqual(script.submitted.count { !$0.isDoorbell }, Int(operationCount))
      XCTAssertEqual(figures.signalCount, figures.groupCount)
      XCTAssertEqual(script.sentSignalCount, Int(figures.signalCount))
      XCTAssertEqual(figures.rescuedCount, 0)
    }
  }

  func test_whatIsInHandIsCounted() throws {
    let folder = try TemporaryFolder()
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
    XCTAssertEqual(queue.figures.waitingCount, 6)
    queue.drain()
    XCTAssertEqual(queue.figures.inFlightCount, 2)
    XCTAssertEqual(queue.figures.waitingCount, 4)
    XCTAssertEqual(queue.figures.heldByteCount, 50)
    XCTAssertEqual(queue.unfinishedCount, 6)
    XCTAssertEqual(queue.figures.completedCount, 0)
    XCTAssertEqual(queue.figures.completionsPerWake, 0)
    try script.runUntilIdle(queue)
    queue.assertIdle()
  }
}
