import SystemPackage
import TestSupport
import XCTest

@testable import PosixAIO

/// Contract 7, where a sync is submitted after the writes that it waits for.
final class SyncAfterWritesTests: ScriptedQueueTestCase {
  private func write(_ byte: UInt8, at offset: Int64, count: Int = 1) throws {
    try file.write(
      IOBuffer(copying: [UInt8](repeating: byte, count: count)), at: offset, ledger.transfer())
  }

  func test_syncIsSubmittedWithItsWrites_onTheirDescriptor() throws {
    for number in 0..<3 {
      try write(1, at: Int64(number * 10))
      try file.dataSync(ledger.sync())
    }
    queue.drain()
    XCTAssertEqual(system.held.map(\.kind), [.write, .write, .write, .dataSync, .read])
    XCTAssertEqual(Set(system.held.map(\.descriptor)).count, 1)
    try settle()
    for number in stride(from: 1, to: 6, by: 2) { XCTAssertEqual(ledger[number], .done) }
    XCTAssertEqual(system.submitted.count(where: \.isSync), 1)
  }

  func test_syncIsSubmittedAfterItsWrites_whenTheFileMayHaveNoMoreInFlight() throws {
    let limit = CompletionQueue.Configuration().inFlightLimitPerFile
    for number in 0..<limit { try write(1, at: Int64(number * 10)) }
    try file.dataSync(ledger.sync())
    queue.drain()
    XCTAssertEqual(file.inFlightCount, limit)
    XCTAssertFalse(system.held.contains(where: \.isSync))
    try settle()
    XCTAssertEqual(ledger[limit], .done)
  }

  func test_nextSyncServesWhatIsWrittenByThoseWhoWaitedForTheLast_too() throws {
    try write(1, at: 0)
    try file.sync { [unowned self] _ in
      do {
        try write(3, at: 20)
        try file.sync(ledger.sync())
      } catch {
        XCTFail("\(error)")
      }
    }
    queue.drain()
    // Comes while the first sync runs.
    try write(2, at: 10)
    try file.sync(ledger.sync())
    try settle()
    XCTAssertEqual(ledger.entries.count { $0 == [.done] }, 2)
    XCTAssertEqual(system.submitted.count(where: \.isSync), 2)
  }

  func test_nextSyncIsSubmittedInTheSameDrain_whenNobodyWritesMore() throws {
    try write(1, at: 0)
    try file.sync(ledger.sync())
    queue.drain()
    system.endFirst { $0.kind == .write }
    queue.drain()
    try write(2, at: 10)
    try file.sync(ledger.sync())
    queue.drain()
    system.endFirst { $0.kind == .write }
    queue.drain()
    XCTAssertEqual(system.held.filter(\.isSync).count, 1)
    system.endFirst(where: \.isSync)
    system.endFirst(where: \.isSyncMarker)
    queue.drain()
    XCTAssertEqual(ledger.called, [0, 1, 2])
    XCTAssertEqual(system.held.filter(\.isSync).count, 1, "the second")
    try settle()
    XCTAssertEqual(ledger[3], .done)
  }

  func test_laterWriteGoesElsewhere_asSoonAsThoseBeforeTheSyncHaveEnded() throws {
    try write(1, at: 0)
    try file.sync(ledger.sync())
    queue.drain()
    try write(2, at: 0)
    queue.drain()
    XCTAssertEqual(system.held.count { $0.kind == .write }, 1, "it may not overtake the first")
    system.endFirst { $0.kind == .write }
    queue.drain()
    XCTAssertTrue(system.endFirst { $0.kind == .write }, "it runs beside the sync")
    queue.drain()
    XCTAssertEqual(ledger.called, [0, 2])
    try settle()
    XCTAssertEqual(ledger[1], .done)
    XCTAssertEqual(try folder.contents(of: "file"), [2])
  }

  func test_syncRunsAgain_whenAWriteBeforeItCameBackShort() throws {
    system.outcome = { $0.kind == .write && $0.byteCount == 10 ? .short(4) : .real }
    try write(1, at: 0, count: 10)
    try file.sync(ledger.sync())
    try file.dataSync(ledger.sync())
    queue.drain()
    system.endFirst { $0.kind == .write }
    system.endFirst(where: \.isSync)
    system.endFirst(where: \.isSyncMarker)
    queue.drain()
    XCTAssertEqual(ledger.called, [], "six bytes are missing")
    try settle()
    XCTAssertEqual(ledger.entries, [[.moved(10)], [.done], [.done]])
    XCTAssertEqual(
      system.submitted.filter { !$0.isSyncMarker }.map(\.kind), [.write, .sync, .write, .sync])
    XCTAssertEqual(try folder.contents(of: "file"), [UInt8](repeating: 1, count: 10))
  }

  func test_syncRunsAgain_whenTheRestOfAWriteEndsBeforeTheSyncIsLookedAt() throws {
    system.outcome = { $0.kind == .write && $0.byteCount == 10 ? .short(4) : .real }
    try write(1, at: 0, count: 10)
    try file.sync(ledger.sync())
    queue.drain()
    system.endFirst { $0.kind == .write }
    queue.drain()
    system.endFirst(where: \.isSync)
    system.endFirst { $0.kind == .write }
    XCTAssertEqual(try folder.contents(of: "file").count, 10)
    system.endFirst(where: \.isSyncMarker)
    queue.drain()
    XCTAssertEqual(ledger.called, [0], "the last six bytes came behind the sync")
    try settle()
    XCTAssertEqual(ledger.entries, [[.moved(10)], [.done]])
    XCTAssertEqual(system.submitted.count(where: \.isSync), 2)
  }

  func test_syncIsCancelled_whenItHasRunTooEarly() throws {
    system.outcome = { $0.kind == .write && $0.byteCount == 10 ? .short(4) : .real }
    try write(1, at: 0, count: 10)
    let sync = try file.sync(ledger.sync())
    queue.drain()
    system.endFirst { $0.kind == .write }
    system.endFirst(where: \.isSync)
    XCTAssertEqual(queue.cancel(sync), .canceled)
    try settle()
    XCTAssertEqual(ledger.entries, [[.moved(10)], [.failed(.canceled)]])
    XCTAssertEqual(system.submitted.count(where: \.isSync), 1)
  }

  func test_syncFails_whenAWriteBeforeItHasFailed_thoughTheKernelsSucceeds() throws {
    system.outcome = { $0.kind == .write ? .failure(.ioError) : .real }
    try write(1, at: 0)
    try file.sync(ledger.sync())
    queue.drain()
    XCTAssertTrue(system.held.contains(where: \.isSync))
    try settle()
    XCTAssertEqual(ledger.entries, [[.failed(.ioError)], [.failed(.ioError)]])
  }

  func test_syncKeepsItsPromise_whenALaterWriteFailsWhileItRuns() throws {
    try write(1, at: 0)
    try file.sync(ledger.sync())
    queue.drain()
    system.endFirst { $0.kind == .write }
    system.outcome = { $0.kind == .write ? .failure(.ioError) : .real }
    try write(2, at: 10)
    queue.drain()
    system.endFirst { $0.kind == .write }
    queue.drain()
    try settle()
    XCTAssertEqual(ledger.entries, [[.moved(1)], [.done], [.failed(.ioError)]])
  }

  func test_syncDoesNotCountBeforeItsWrites_whenTheirSignalsAreLost() throws {
    system.losesSignals = true
    system.outcome = { $0.kind == .write && $0.byteCount == 10 ? .short(4) : .real }
    for number in 0..<5 {
      try write(UInt8(number), at: Int64(number * 100), count: 10)
      try file.sync(ledger.sync())
    }
    try settle()
    for number in 0..<5 {
      XCTAssertEqual(ledger[number * 2], .moved(10))
      XCTAssertEqual(ledger[number * 2 + 1], .done)
    }
    let last = try XCTUnwrap(system.submitted.lastIndex { $0.kind == .write })
    XCTAssertTrue(system.submitted[last...].contains(where: \.isSync))
  }

  func test_syncWaitsForItsWrites_whenGlibcDoesNotTakeItYet() throws {
    var isRefusing = true
    system.refusal = { $0.isSync && isRefusing ? .resourceTemporarilyUnavailable : nil }
    try write(1, at: 0)
    try file.sync(ledger.sync())
    try file.sync(ledger.sync())
    queue.drain()
    XCTAssertEqual(system.held.map(\.kind), [.write])
    isRefusing = false
    try settle()
    XCTAssertEqual(ledger.entries, [[.moved(1)], [.done], [.done]])
    XCTAssertEqual(system.submitted.count(where: \.isSync), 1)
  }

  func test_syncWaitsForItsWrites_whenTheFileMayHaveNoMoreInFlight() throws {
    try makeQueue { $0.inFlightLimitPerFile = 2 }
    for number in 0..<2 { try write(1, at: Int64(number * 10)) }
    try file.sync(ledger.sync())
    queue.drain()
    XCTAssertEqual(system.held.map(\.kind), [.write, .write])
    try settle()
    XCTAssertEqual(ledger.entries, [[.moved(1)], [.moved(1)], [.done]])
  }

  func test_everythingIsCancelled_withItsFile() throws {
    try write(1, at: 0)
    try file.sync(ledger.sync())
    queue.drain()
    queue.cancelAll(of: file)
    try settle()
    XCTAssertEqual(ledger.entries, [[.moved(1)], [.failed(.canceled)]])
    try file.sync(ledger.sync())
    try settle()
    XCTAssertEqual(ledger[2], .done, "a cancellation is no failure of the file")
  }
}
