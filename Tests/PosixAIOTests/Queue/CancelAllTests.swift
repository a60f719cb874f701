import SystemPackage
import TestSupport
import XCTest

@testable import PosixAIO

/// Cancelling all of a file: what is cancelled is completed at once, and a sync that runs is found
/// when it ends, without the backstop.
final class CancelAllTests: ScriptedQueueTestCase {
  override func makeQueue(_ change: (inout CompletionQueue.Configuration) -> Void) throws {
    try super.makeQueue {
      $0.mergesWrites = false
      $0.disableBackstop()
      change(&$0)
    }
  }

  private func write(_ count: Int) throws {
    for number in 0..<count {
      try file.write(IOBuffer(copying: [1]), at: Int64(number * 10), ledger.transfer())
    }
  }

  func test_whatIsCancelledIsCompletedByTheNextDrain_withoutASignal() throws {
    system.losesSignals = true
    try write(20)
    queue.drain()
    try write(5)
    try file.sync(ledger.sync())
    queue.cancelAll(of: file)
    queue.drain()
    // The one that runs goes on.
    XCTAssertEqual(ledger.called, Array(1...25))
    ledger.assertAll(.failed(.canceled), in: 1..<26)
    system.losesSignals = false
    try settle()
    XCTAssertEqual(ledger[0], .moved(1))
  }

  func test_syncBehindWritesIsCancelledWithThem_whileItWaits() throws {
    try write(3)
    try file.sync(ledger.sync())
    queue.drain()
    XCTAssertEqual(system.held.count, 5, "three writes, the sync, and what tells its end")
    queue.cancelAll(of: file)
    queue.drain()
    XCTAssertEqual(ledger.called, [1, 2, 3])
    ledger.assertAll(.failed(.canceled), in: 1..<4)
    try settle()
  }

  func test_syncThatRunsIsFoundWhenItEnds_thoughItsWritesHaveNotBeenSeen() throws {
    try write(3)
    try file.sync(ledger.sync())
    queue.drain()
    for _ in 0..<3 { system.endFirst { $0.kind == .write } }
    queue.cancelAll(of: file)
    queue.drain()
    XCTAssertEqual(ledger.called, [0, 1, 2])
    XCTAssertTrue(system.endFirst(where: \.isSync))
    system.endAll()
    try queue.run { ledger.called.count == 4 }
    ledger.assertAll(.moved(1), in: 0..<3)
    XCTAssertEqual(ledger[3], .done)
    try settle()
  }

  func test_syncGetsAnotherMarker_whenItBeginsWhileOthersAreCancelled() throws {
    try write(1)
    try file.sync(ledger.sync())
    queue.drain()
    // The write ends, and the sync begins, when the queue has just looked.
    system.beforeCancel = { [system] in system.endFirst { $0.kind == .write } }
    queue.cancelAll(of: file)
    system.beforeCancel = {}
    queue.drain()
    XCTAssertEqual(ledger.called, [0])
    XCTAssertEqual(system.held.map(\.isSyncMarker), [false, true])
    system.endAll()
    try queue.run { ledger.called.count == 2 }
    XCTAssertEqual(ledger.entries, [[.moved(1)], [.done]])
    try settle()
  }

  func test_syncThatHasNotBegunIsCancelled_whenEachHelperIsBusy() throws {
    system.helperCount = 1
    try makeQueue { _ in }
    let other = AIOFile(try folder.open("other"), queue: queue)
    try other.write(IOBuffer(copying: [1]), at: 0, ledger.transfer())
    queue.drain()
    for _ in 0..<3 { try file.sync(ledger.sync()) }
    queue.drain()
    XCTAssertEqual(system.held.map(\.isRunning), [true, false, false])
    queue.cancelAll(of: file)
    queue.drain()
    XCTAssertEqual(ledger.called, [1, 2, 3])
    ledger.assertAll(.failed(.canceled), in: 1..<4)
    XCTAssertEqual(system.held.map(\.kind), [.write])
    try file.sync(ledger.sync())
    try settle()
    XCTAssertEqual(ledger[4], .done)
  }

  func test_syncThatRunsIsFoundWhenItEnds_howeverOftenAllIsCancelled() throws {
    try write(1)
    try file.sync(ledger.sync())
    queue.drain()
    system.endFirst { $0.kind == .write }
    for round in 0..<5 {
      queue.cancelAll(of: file)
      if round == 2 { queue.drain() }
      XCTAssertEqual(system.held.map(\.isSyncMarker), [false, true])
    }
    // What comes while it runs is cancelled, and what it serves is not.
    try file.sync(ledger.sync())
    queue.cancelAll(of: file)
    queue.drain()
    XCTAssertEqual(ledger.called, [0, 2])
    XCTAssertEqual(ledger[2], .failed(.canceled))
    system.endAll()
    try queue.run { ledger.called.count == 3 }
    XCTAssertEqual(ledger[1], .done)
    try settle()
  }

  func test_syncThatRunsIsFoundByTheBackstop_whenGlibcTakesNoOtherMarker() throws {
    try super.makeQueue { _ in }
    try write(1)
    try file.sync(ledger.sync())
    queue.drain()
    system.endFirst { $0.kind == .write }
    system.refusal = { _ in .resourceTemporarilyUnavailable }
    queue.cancelAll(of: file)
    system.refusal = { _ in nil }
    XCTAssertEqual(system.held.map(\.isSync), [true])
    system.endAll()
    try queue.run { ledger.called.count == 2 }
    XCTAssertEqual(ledger.entries, [[.moved(1)], [.done]])
    try settle()
  }

  func test_syncThatServesOthersGoesOn_andTheyGetItsResult() throws {
    for _ in 0..<4 { try file.sync(ledger.sync()) }
    queue.drain()
    system.outcome = { $0.isSync ? .failure(.ioError) : .real }
    queue.cancelAll(of: file)
    queue.drain()
    XCTAssertEqual(ledger.called, [])
    system.endAll()
    try queue.run { ledger.called.count == 4 }
    ledger.assertAll(.failed(.ioError))
    try settle()
  }

  func test_everythingCompletesAtOnce_overTheRealLibc() throws {
    let queue = try CompletionQueue(configuration: .with { $0.disableBackstop() })
    let file = AIOFile(try folder.open("real"), queue: queue)
    for round in 0..<60 {
      for number in 0..<(round % 6 + 1) {
        try file.write(
          IOBuffer(copying: bytes(round, count: 40_000)), at: Int64(number * 40_000),
          ledger.transfer())
      }
      try file.sync(ledger.sync())
      queue.drain()
      if round % 2 == 0 { try file.dataSync(ledger.sync()) }
      queue.cancelAll(of: file)
      try queue.runUntilIdle()
    }
    ledger.assertEachOnce()
    queue.assertIdle()
  }
}
