import Glibc
import SystemPackage
import TestSupport
import XCTest

@testable import PosixAIO

/// Contract 9, cancellation, with a libc that does what it is told.
final class QueueCancelTests: ScriptedQueueTestCase {
  @discardableResult
  private func write(_ bytes: [UInt8], at offset: Int64) throws -> RequestID {
    try file.write(IOBuffer(copying: bytes), at: offset, ledger.transfer())
  }

  // MARK: One request

  func test_waitingRequestIsCancelledForCertain_andNothingIsWritten() throws {
    let first = try write([1], at: 0)
    let second = try write([2], at: 1)
    XCTAssertEqual(queue.cancel(first), .canceled)
    try settle()
    XCTAssertEqual(ledger[0], .failed(.canceled))
    XCTAssertEqual(ledger[1], .moved(1))
    XCTAssertEqual(try folder.contents(of: "file"), [0, 2])
    XCTAssertEqual(queue.cancel(first), .allDone)
    XCTAssertEqual(queue.cancel(second, abandoning: true), .allDone)
  }

  func test_requestOfAnotherQueueIsNotCancelled() throws {
    let id = try write([1], at: 0)
    let other = try CompletionQueue()
    let file = AIOFile(try folder.open("file"), queue: other)
    var results: [Result<Int, FileError>] = []
    // Both have the first slot of their pools.
    try file.write(IOBuffer(copying: [2]), at: 0) { result, _ in results.append(result) }
    XCTAssertEqual(other.cancel(id, abandoning: true), .allDone)
    try other.runUntilIdle()
    XCTAssertEqual(results, [.success(1)])
    XCTAssertEqual(queue.cancel(id), .canceled)
    try settle()
  }

  func test_requestIsAllDone_betweenItsEndAndItsHandler() throws {
    let id = try write([1], at: 0)
    queue.drain(limit: 0)
    system.endAll()
    XCTAssertEqual(queue.cancel(id), .allDone)
    XCTAssertEqual(queue.cancel(id, abandoning: true), .allDone)
    try settle()
    XCTAssertEqual(ledger[0], .moved(1))
  }

  func test_runningRequestGoesOn() throws {
    let id = try write([1], at: 0)
    queue.drain()
    XCTAssertEqual(queue.cancel(id), .notCanceled)
    try settle()
    XCTAssertEqual(ledger[0], .moved(1))
  }

  func test_onlyTheNewestInLineIsCancelledInGlibc() throws {
    try makeQueue {
      $0.mergesWrites = false
      $0.disableBackstop()
    }
    let ids = try (0..<5).map { try write(bytes($0), at: Int64($0)) }
    queue.drain()
    XCTAssertEqual(queue.cancel(ids[2]), .notCanceled)
    XCTAssertEqual(queue.cancel(ids[4]), .canceled)
    XCTAssertEqual(queue.cancel(ids[4]), .allDone)
    // It is announced at once, though the others of its group still run.
    queue.drain()
    XCTAssertEqual(ledger[4], .failed(.canceled))
    try settle()
    ledger.assertAll(.moved(1), in: 0..<4)
    XCTAssertEqual(try folder.contents(of: "file"), [0, 1, 2, 3])
  }

  func test_restOfAShortWriteIsCancelled_andTheErrorTellsWhatIsInTheFile() throws {
    system.outcome = { _ in .short(3) }
    try makeQueue { $0.inFlightLimit = 1 }
    let other = AIOFile(try folder.open("other"), queue: queue)
    let id = try write(bytes(7, count: 10), at: 0)
    queue.drain()
    try other.write(IOBuffer(copying: [1]), at: 0, ledger.transfer())
    queue.drain()
    system.endAll()
    // Its rest waits: the other file has its turn first.
    queue.drain()
    XCTAssertEqual(system.held.map(\.byteCount), [1])
    XCTAssertEqual(queue.cancel(id), .canceled)
    system.outcome = { _ in .real }
    try settle()
    XCTAssertEqual(ledger[0], .failed(.canceled, byteCountDone: 3))
    XCTAssertEqual(ledger[1], .moved(1))
    XCTAssertEqual(try folder.contents(of: "file"), bytes(7, count: 3))
  }

  // MARK: Abandoning

  func test_abandonedRequestKeepsItsLentMemoryAlive_untilTheKernelIsDone() throws {
    weak var lender: Lender?
    do {
      let owner = Lender()
      lender = owner
      var buffer = unsafe IOBuffer(lending: owner.memory, count: 0, from: owner)
      buffer.append(repeating: 1, count: 8)
      let id = try file.write(buffer, at: 0) { _, _ in }
      queue.drain()
      XCTAssertEqual(queue.cancel(id, abandoning: true), .abandoned)
    }
    queue.drain()
    XCTAssertEqual(queue.unfinishedCount, 0)
    XCTAssertNotNil(lender, "the kernel still uses it")
    system.endAll()
    var isClosed = false
    file.close { _ in isClosed = true }
    try queue.run { isClosed }
    XCTAssertNil(lender)
  }

  func test_abandonedRequestIsAnsweredAtOnce_andItsMemoryIsKept() throws {
    var capacity = -1
    let id = try file.write(IOBuffer(copying: bytes(9, count: 100)), at: 0) { result, buffer in
      if case .success = result { XCTFail("it was abandoned") }
      capacity = buffer.capacity
    }
    queue.drain()
    XCTAssertEqual(queue.cancel(id, abandoning: true), .abandoned)
    XCTAssertEqual(queue.cancel(id, abandoning: true), .allDone)
    XCTAssertEqual(capacity, -1, "from drain only")
    queue.drain()
    XCTAssertEqual(capacity, 0)
    XCTAssertEqual(queue.unfinishedCount, 0)
    XCTAssertEqual(queue.hot.heldByteCount, 100)
    XCTAssertEqual(queue.statistics.abandonedCount, 1)
    var isClosed = false
    file.close { _ in isClosed = true }
    queue.drain()
    XCTAssertFalse(isClosed, "close waits for what the kernel still has")
    system.endAll()
    try queue.run { isClosed }
    XCTAssertEqual(try folder.contents(of: "file"), bytes(9, count: 100))
    queue.assertIdle()
  }

  func test_syncWaitsForAnAbandonedWrite() throws {
    let id = try write([1], at: 0)
    queue.drain()
    try file.sync(ledger.sync())
    XCTAssertEqual(queue.cancel(id, abandoning: true), .abandoned)
    queue.drain()
    XCTAssertEqual(ledger.called, [0])
    XCTAssertFalse(system.submitted.contains(where: \.isSync))
    try settle()
    XCTAssertEqual(ledger[1], .done)
  }

  func test_abandonedReadNeverTouchesMemoryThatIsNotItsOwn() throws {
    try makeQueue { $0.readsCacheFirst = false }
    try folder.write(Pattern.block(1, byteCount: 4096), to: "file")
    for _ in 0..<50 {
      let id = try file.read(into: IOBuffer(capacity: 4096), at: 0, ledger.transfer())
      queue.drain()
      XCTAssertEqual(queue.cancel(id, abandoning: true), .abandoned)
      queue.drain()
      // Would get the memory, were it free.
      try write(bytes(0, count: 4096), at: 8192)
      system.endAll()
    }
    try settle()
    for number in stride(from: 0, to: 100, by: 2) {
      XCTAssertEqual(ledger[number], .failed(.canceled))
      XCTAssertEqual(ledger[number + 1], .moved(4096))
    }
    XCTAssertEqual(Array(try folder.contents(of: "file").dropFirst(8192)), bytes(0, count: 4096))
  }

  @discardableResult
  private func sync() throws -> RequestID { try file.sync(ledger.sync()) }

  // MARK: Syncs

  func test_syncsAreCancelled_parkedOrWaitingOrServedByAnother() throws {
    try write([1], at: 0)
    let parked = try sync()
    XCTAssertEqual(queue.cancel(parked), .canceled)
    try settle()
    XCTAssertEqual(ledger[1], .failed(.canceled))

    let leader = try sync()
    let others = try (0..<3).map { _ in try sync() }
    XCTAssertEqual(queue.cancel(leader), .canceled)
    XCTAssertEqual(queue.cancel(others[1], abandoning: true), .canceled)
    try settle()
    XCTAssertEqual(
      ledger.entries[2...].map { $0.first },
      [.failed(.canceled), .done, .failed(.canceled), .done])
  }

  func test_runningSyncIsAbandoned_andThoseItServesAreNot() throws {
    try sync()
    queue.drain()
    let leader = try sync()
    let others = try (0..<3).map { _ in try sync() }
    system.endAll()
    queue.drain()
    // One sync runs now for the four.
    XCTAssertEqual(system.held.count(where: \.isSync), 1)
    XCTAssertEqual(queue.cancel(leader), .notCanceled)
    XCTAssertEqual(queue.cancel(leader, abandoning: true), .abandoned)
    XCTAssertEqual(queue.cancel(others[0]), .notCanceled)
    XCTAssertEqual(queue.cancel(others[0], abandoning: true), .abandoned)
    queue.drain()
    XCTAssertEqual(ledger.called, [0, 1, 2])
    try settle()
    XCTAssertEqual(ledger[1], .failed(.canceled))
    XCTAssertEqual(ledger[2], .failed(.canceled))
    ledger.assertAll(.done, in: 3..<5)
    XCTAssertEqual(system.submitted.count(where: \.isSync), 2)
  }
}
