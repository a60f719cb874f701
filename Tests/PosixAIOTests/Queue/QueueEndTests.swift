import Glibc
import SystemPackage
import TestSupport
import XCTest

@testable import PosixAIO

/// The end of a queue: every request is completed, and everything is given back but for what the
/// kernel holds.
final class QueueEndTests: XCTestCase {
  private var folder: TemporaryFolder!
  private let ledger = Ledger()

  override func setUpWithError() throws {
    folder = try TemporaryFolder()
    Orphanage.sweep()
    XCTAssertEqual(Orphanage.operationCount, 0)
  }

  private func makeQueue(
    _ change: (inout CompletionQueue.Configuration) -> Void = { _ in }
  ) throws -> CompletionQueue {
    try CompletionQueue(configuration: .with(change))
  }

  private func end(_ queue: CompletionQueue, waitingAtMost limit: Duration = .zero) {
    queue.beginEnd()
    while queue.unfinishedCount > 0, queue.drain() > 0 {}
    XCTAssertEqual(queue.unfinishedCount, 0)
    queue.retire(waitingAtMost: limit)
    XCTAssertEqual(queue.figures.inFlightCount, 0)
    XCTAssertEqual(queue.books.heldByteCount, 0)
  }

  /// Leaves a read in flight that runs for certain: the helper that ends the one before goes on with
  /// it.
  private func blockRead(of pipe: TestPipe, _ file: AIOFile) throws {
    var hasEnded = false
    try file.read(into: IOBuffer(capacity: 1), at: 0) { _, _ in hasEnded = true }
    try file.read(into: IOBuffer(capacity: 100), at: 0, ledger.transfer())
    file.queue.drain()
    try pipe.write([1])
    try file.queue.run { hasEnded }
  }

  /// Waits until glibc has let go of everything.
  private func sweepUntilEmpty() throws {
    let deadline = ContinuousClock.now + testDeadline
    while Orphanage.operationCount > 0 {
      guard ContinuousClock.now < deadline else {
        throw DeadlinePassed(description: "orphans: \(Orphanage.operationCount)")
      }
      sched_yield()
      Orphanage.sweep()
    }
  }

  // MARK: What is in flight

  func test_readOfAnEmptyPipeIsCanceled_andItsMemoryOutlivesTheQueue() throws {
    let before = try openDescriptors()
    let pipe = try TestPipe()
    let atStart = try openDescriptors()
    weak var dropped: CompletionQueue?
    try {
      let queue = try makeQueue()
      dropped = queue
      let file = AIOFile(pipe.readEnd, queue: queue)
      try blockRead(of: pipe, file)
      end(queue)
      XCTAssertEqual(ledger.entries, [[.failed(.canceled)]])
    }()
    XCTAssertNil(dropped)
    XCTAssertEqual(Orphanage.operationCount, 1)
    XCTAssertEqual(try openDescriptors(), atStart, "the pipe alone is open")
    Orphanage.sweep()
    XCTAssertEqual(Orphanage.operationCount, 1)
    try pipe.write(bytes(7, count: 100))
    try sweepUntilEmpty()
    XCTAssertEqual(try openDescriptors().count, before.count + 1, "only the write end is left")
    ledger.assertEachOnce()
  }

  func test_signalNumbersDoNotRunOut_whileQueuesEndWithReadsInFlight() throws {
    let before = try openDescriptors()
    try {
      var pipes: [TestPipe] = []
      // A pipe without a reader would end the process that writes to it.
      var readers: [SharedDescriptor] = []
      for number in 0..<40 {
        let pipe = try TestPipe()
        pipes.append(pipe)
        readers.append(SharedDescriptor(try pipe.readEnd.duplicate()))
        let queue = try makeQueue()
        let file = AIOFile(pipe.readEnd, queue: queue)
        if number < 16 {
          try blockRead(of: pipe, file)
        } else {
          // It may find no helper thread, and is cancelled then.
          try file.read(into: IOBuffer(capacity: 10), at: 0, ledger.transfer())
          queue.drain()
        }
        end(queue)
      }
      ledger.assertAll(.failed(.canceled))
      XCTAssertGreaterThanOrEqual(Orphanage.operationCount, 16)
      // The signals that come now are nobody's, and end nobody.
      for pipe in pipes { try pipe.write([1]) }
      try sweepUntilEmpty()
    }()
    XCTAssertEqual(try openDescriptors(), before)
  }

  func test_lateSignalOfAnEarlierQueueDoesNoHarm_toTheNextOneWithItsNumber() throws {
    let pipe = try TestPipe()
    let first = try makeQueue()
    let number = first.signal.number
    let file = AIOFile(pipe.readEnd, queue: first)
    try blockRead(of: pipe, file)
    end(first)
    for _ in 0..<2 {
      let second = try makeQueue { $0.signal = number }
      let file = AIOFile(try folder.open("file"), queue: second)
      try file.write(IOBuffer(copying: [1]), at: 0, ledger.transfer())
      if Orphanage.operationCount > 0 { try pipe.write([1]) }
      try second.runUntilIdle()
    }
    try sweepUntilEmpty()
    XCTAssertEqual(ledger.entries, [[.failed(.canceled)], [.moved(1)], [.moved(1)]])
  }

  func test_manyReadsOfOnePipeLeaveOneInTheKernel() throws {
    let pipe = try TestPipe()
    let queue = try makeQueue()
    let file = AIOFile(pipe.readEnd, queue: queue)
    for _ in 0..<100 {
      try file.read(into: IOBuffer(capacity: 10), at: 0, ledger.transfer())
    }
    queue.drain()
    end(queue)
    ledger.assertAll(.failed(.canceled))
    XCTAssertLessThanOrEqual(Orphanage.operationCount, 1)
    try pipe.write([1])
    try sweepUntilEmpty()
  }

  func test_retireWaitsForRegularFiles() throws {
    let queue = try makeQueue { $0.readsCacheFirst = false }
    let file = AIOFile(try folder.open("file"), queue: queue)
    for number in 0..<50 {
      try file.write(
        IOBuffer(copying: bytes(number, count: 40_000)), at: Int64(number * 40_000),
        ledger.transfer())
      try file.sync(ledger.sync())
    }
    queue.drain()
    end(queue, waitingAtMost: testDeadline)
    XCTAssertEqual(Orphanage.operationCount, 0)
    ledger.assertEachOnce()
  }

  func test_everythingIsBack_after300QueuesThatEndWithDiskReadsInFlight() throws {
    try folder.write(bytes(1, count: 1 << 20), to: "file")
    let before = try openDescriptors()
    for _ in 0..<300 {
      let queue = try makeQueue { $0.readsCacheFirst = false }
      let file = AIOFile(try folder.open("file"), queue: queue)
      for number in 0..<32 {
        try file.read(
          into: IOBuffer(capacity: 4096), at: Int64(number * 32_768), ledger.transfer())
      }
      queue.drain(limit: 0)
      end(queue)
    }
    ledger.assertEachOnce()
    try sweepUntilEmpty()
    XCTAssertEqual(try openDescriptors(), before)
  }

  // MARK: What is not in flight

  func test_everyKindOfWaitingIsCanceled() throws {
    let system = ScriptedSystem()
    let queue = try CompletionQueue(
      configuration: .with { $0.inFlightLimitPerFile = 2 }, system: system)
    let file = AIOFile(try folder.open("file"), queue: queue)
    // Merged, in flight.
    for number in 0..<10 {
      try file.write(IOBuffer(copying: [1]), at: Int64(number), ledger.transfer())
    }
    queue.drain()
    // Waiting, waiting with a deadline, parked, joined.
    for number in 0..<100 {
      try file.write(IOBuffer(copying: [2]), at: Int64(number * 3), ledger.transfer())
      try file.read(
        into: IOBuffer(capacity: 1), at: 1000, timeout: .seconds(60), ledger.transfer())
      try file.sync(ledger.sync())
    }
    queue.drain()
    queue.beginEnd()
    while queue.unfinishedCount > 0, queue.drain() > 0 {}
    ledger.assertEachOnce()
    for entries in ledger.entries where entries != [.moved(0)] {
      XCTAssertEqual(entries, [.failed(.canceled)])
    }
    let submittedCount = system.submitted.count
    system.endAll()
    queue.retire(waitingAtMost: .zero)
    XCTAssertEqual(system.submitted.count, submittedCount, "nothing is started any more")
    XCTAssertEqual(Orphanage.operationCount, 0)
    ledger.assertEachOnce()
  }

  func test_shortWriteDoesNotGoOn_afterTheEndHasBegun() throws {
    let system = ScriptedSystem()
    let queue = try CompletionQueue(configuration: .init(), system: system)
    let file = AIOFile(try folder.open("file"), queue: queue)
    try file.write(IOBuffer(copying: bytes(1, count: 10)), at: 0, ledger.transfer())
    try file.write(IOBuffer(copying: bytes(1, count: 10)), at: 50, ledger.transfer())
    queue.drain()
    system.outcome = { _ in .short(3) }
    // One has come back when the end begins, the other comes later.
    system.endFirst()
    queue.beginEnd()
    queue.drain()
    XCTAssertEqual(
      ledger.entries, [[.failed(.canceled, byteCountDone: 3)], [.failed(.canceled)]])
    system.endAll()
    queue.retire(waitingAtMost: .zero)
    XCTAssertEqual(system.submitted.count, 2)
    XCTAssertEqual(try folder.contents(of: "file").count, 53)
  }

  func test_newRequestsAreRefused_afterTheEndHasBegunAndAfterItsEnd() throws {
    let queue = try makeQueue()
    let file = AIOFile(try folder.open("file"), queue: queue)
    func assertRefused(line: UInt = #line) {
      func expect(_ call: () throws -> RequestID) {
        XCTAssertThrowsError(try call(), line: line) {
          XCTAssertEqual($0 as? Errno, .canceled, line: line)
        }
      }
      expect { try file.read(into: IOBuffer(capacity: 1), at: 0) { _, _ in } }
      expect { try file.write(IOBuffer(copying: [1]), at: 0) { _, _ in } }
      expect { try file.sync { _ in } }
      expect { try file.dataSync { _ in } }
    }
    queue.beginEnd()
    assertRefused()
    queue.beginEnd()
    queue.drain()
    queue.retire(waitingAtMost: .zero)
    assertRefused()
    XCTAssertEqual(queue.drain(), 0)
    queue.retire(waitingAtMost: .zero)
    XCTAssertEqual(try folder.contents(of: "file"), [])
  }

  func test_handlersMayRequestAndCloseAndEnd_whileTheEndCompletesThem() throws {
    let before = try openDescriptors()
    let queue = try makeQueue()
    var refusedCount = 0
    try {
      let file = AIOFile(try folder.open("file"), queue: queue)
      for number in 0..<10 {
        try file.write(IOBuffer(copying: [1]), at: Int64(number)) { [ledger] result, _ in
          XCTAssertEqual(result.failure?.errno, .canceled)
          queue.beginEnd()
          do throws(Errno) { try file.sync { _ in } } catch {
            XCTAssertEqual(error, number == 9 ? .badFileDescriptor : .canceled)
            refusedCount += 1
          }
          if number == 8 { file.close(ledger.sync()) }
        }
      }
    }()
    end(queue)
    XCTAssertEqual(refusedCount, 10)
    XCTAssertEqual(ledger.entries, [[.done]])
    XCTAssertEqual(try openDescriptors(), before)
  }

  // MARK: Closes

  func test_closeThatWaitsForThePipeIsCanceled_andThePipeIsClosedLater() throws {
    let pipe = try TestPipe()
    let readEnd = pipe.readEnd.rawValue
    let queue = try makeQueue()
    let file = AIOFile(pipe.readEnd, queue: queue)
    try blockRead(of: pipe, file)
    file.close(ledger.sync())
    end(queue)
    XCTAssertEqual(ledger.order, [0, 1])
    ledger.assertAll(.failed(.canceled))
    XCTAssertGreaterThanOrEqual(fcntl(readEnd, F_GETFD), 0)
    try pipe.write([1])
    try sweepUntilEmpty()
    XCTAssertEqual(fcntl(readEnd, F_GETFD), -1)
  }

  func test_closeBetweenTheEndsBeginningAndItsEndIsCanceled_ifThePipeIsInUse() throws {
    let pipe = try TestPipe()
    let queue = try makeQueue()
    let used = AIOFile(pipe.readEnd, queue: queue)
    let idle = AIOFile(try folder.open("file"), queue: queue)
    try blockRead(of: pipe, used)
    queue.beginEnd()
    used.close(ledger.sync())
    idle.close(ledger.sync())
    end(queue)
    XCTAssertEqual(ledger.entries, [[.failed(.canceled)], [.failed(.canceled)], [.done]])
    try pipe.write([1])
    try sweepUntilEmpty()
  }

  func test_closeAfterTheEndClosesAtOnce_orWhenTheKernelLetsGo() throws {
    let before = try openDescriptors()
    let pipe = try TestPipe()
    let readEnd = pipe.readEnd.rawValue
    let queue = try makeQueue()
    let used = AIOFile(pipe.readEnd, queue: queue)
    let idle = AIOFile(try folder.open("file"), queue: queue)
    try blockRead(of: pipe, used)
    end(queue)
    idle.close(ledger.sync())
    used.close(ledger.sync())
    XCTAssertEqual(ledger.entries, [[.failed(.canceled)], [.done], [.failed(.canceled)]])
    XCTAssertGreaterThanOrEqual(fcntl(readEnd, F_GETFD), 0)
    XCTAssertEqual(try openDescriptors().count, before.count + 2)
    try pipe.write([1])
    try sweepUntilEmpty()
    XCTAssertEqual(fcntl(readEnd, F_GETFD), -1)
  }

  func test_detachIsCanceled_whileACallOnAnotherThreadHasTheDescriptor() throws {
    let queue = try makeQueue()
    let file = AIOFile(try folder.open("file"), queue: queue)
    let lent = try file.lendDescriptor()
    var found: Errno?
    file.detach { found = $0.failure?.errno }
    queue.beginEnd()
    queue.drain()
    XCTAssertEqual(found, .canceled)
    XCTAssertGreaterThanOrEqual(fcntl(lent.rawValue, F_GETFD), 0)
    file.giveBackDescriptor()
    let number = lent.rawValue
    withExtendedLifetime(lent) {}
    queue.retire(waitingAtMost: .zero)
    _ = number
  }
}

extension Result {
  fileprivate var failure: Failure? {
    if case .failure(let error) = self { error } else { nil }
  }
}
