import Glibc
import SystemPackage
import TestSupport
import XCTest

@testable import PosixAIO

/// What a queue that ends does with requests that wait, that come, and with closes.
final class QueueEndRefusalTests: QueueEndTestCase {
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

  func test_allLanesAreClosed_withTheLastOfTheReadsThatEndTogether() throws {
    let before = try openDescriptors()
    for isCancelled in [false, true] {
      let system = ScriptedSystem()
      let queue = try CompletionQueue(
        configuration: .with { $0.readsCacheFirst = false }, system: system)
      let file = AIOFile(try folder.open("file"), queue: queue)
      for _ in 0..<4 { try file.read(into: IOBuffer(capacity: 1), at: 0, ledger.transfer()) }
      queue.drain()
      XCTAssertEqual(Set(system.held.map(\.descriptor)).count, 4)
      file.close(ledger.sync())
      queue.beginEnd()
      queue.drain()
      XCTAssertEqual(queue.unfinishedCount, 0)
      system.endAll()
      if isCancelled { queue.cancelAll(of: file) }
      queue.drain()
      queue.assertIdle()
      queue.retire(waitingAtMost: .zero)
      XCTAssertEqual(try openDescriptors(), before)
    }
    ledger.assertAll(.failed(.canceled))
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
