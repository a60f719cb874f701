import SystemPackage
import TestSupport
import XCTest

@testable import PosixAIO

/// Cancellation of writes that go as one, and of all that a file has.
final class CancelMergedTests: ScriptedQueueTestCase {
  /// Ten bytes each, side by side, and so one operation.
  private func writeTens(_ numbers: Range<Int>) throws -> [RequestID] {
    try numbers.map {
      try file.write(
        IOBuffer(copying: bytes($0 + 1, count: 10)), at: Int64($0 * 10), ledger.transfer())
    }
  }

  private func assertFileIs(_ numbers: Range<Int>, line: UInt = #line) throws {
    XCTAssertEqual(
      try folder.contents(of: "file"), numbers.flatMap { bytes($0 + 1, count: 10) }, line: line)
  }

  func test_memberOfAMergedWriteIsNotCancelled_butAbandoned() throws {
    let ids = try writeTens(0..<4)
    queue.drain()
    XCTAssertEqual(system.held.map(\.byteCount), [40])
    for id in ids { XCTAssertEqual(queue.cancel(id), .notCanceled) }
    XCTAssertEqual(queue.cancel(ids[0], abandoning: true), .abandoned)
    XCTAssertEqual(queue.cancel(ids[2], abandoning: true), .abandoned)
    queue.drain()
    XCTAssertEqual(ledger.called, [0, 2])
    try settle()
    XCTAssertEqual(ledger[0], .failed(.canceled))
    XCTAssertEqual(ledger[1], .moved(10))
    XCTAssertEqual(ledger[2], .failed(.canceled))
    XCTAssertEqual(ledger[3], .moved(10))
    try assertFileIs(0..<4)
  }

  func test_abandonedMembersGoOn_whenTheMergedWriteIsShort() throws {
    let ids = try writeTens(0..<4)
    queue.drain()
    XCTAssertEqual(queue.cancel(ids[0], abandoning: true), .abandoned)
    XCTAssertEqual(queue.cancel(ids[3], abandoning: true), .abandoned)
    system.outcome = { _ in .short(15) }
    system.endAll()
    system.outcome = { _ in .real }
    try settle()
    XCTAssertEqual(ledger[1], .moved(10))
    XCTAssertEqual(ledger[2], .moved(10))
    try assertFileIs(0..<4)
  }

  /// Has the merged write of four wait for its second part: with another file's write in flight,
  /// nothing else is.
  private func makeMergedWriteWait() throws -> [RequestID] {
    let other = AIOFile(try folder.open("other"), queue: queue)
    try other.write(IOBuffer(copying: [1]), at: 0, ledger.transfer())
    queue.drain()
    let ids = try writeTens(0..<4)
    queue.drain()
    system.outcome = { _ in .short(15) }
    XCTAssertTrue(system.endFirst { $0.byteCount == 40 })
    system.outcome = { _ in .real }
    system.refusal = { _ in .resourceTemporarilyUnavailable }
    queue.drain()
    system.refusal = { _ in nil }
    XCTAssertEqual(system.held.map(\.byteCount), [1])
    return ids
  }

  func test_cancelAllEndsAMergedWriteThatWaits() throws {
    _ = try makeMergedWriteWait()
    queue.cancelAll(of: file)
    try settle()
    XCTAssertEqual(
      ledger.entries[1...].map { $0.first },
      [
        .moved(10), .failed(.canceled, byteCountDone: 5), .failed(.canceled), .failed(.canceled),
      ])
    XCTAssertEqual(
      try folder.contents(of: "file"), bytes(1, count: 10) + bytes(2, count: 5))
  }

  func test_leaderOfAMergedWriteThatWaitsHasItsOwnResult() throws {
    let ids = try makeMergedWriteWait()
    XCTAssertEqual(queue.cancel(ids[0]), .allDone)
    try settle()
    ledger.assertAll(.moved(10), in: 1..<5)
    try assertFileIs(0..<4)
  }

  func test_leaderOfAMergedWriteThatGlibcRefusedIsCancelledForCertain() throws {
    let other = AIOFile(try folder.open("other"), queue: queue)
    try other.write(IOBuffer(copying: [1]), at: 0, ledger.transfer())
    queue.drain()
    system.refusal = { _ in .resourceTemporarilyUnavailable }
    let ids = try writeTens(0..<3)
    queue.drain()
    system.refusal = { _ in nil }
    XCTAssertEqual(queue.cancel(ids[0]), .canceled)
    try settle()
    XCTAssertEqual(ledger[1], .failed(.canceled))
    ledger.assertAll(.moved(10), in: 2..<4)
    XCTAssertEqual(
      try folder.contents(of: "file"),
      bytes(0, count: 10) + bytes(2, count: 10) + bytes(3, count: 10))
  }

  // MARK: All of a file

  func test_cancelAllLeavesNothingToRun_butWhatRuns() throws {
    system.helperCount = 1
    try makeQueue { $0.inFlightLimitPerFile = 4 }
    // Far from each other, so that each is an operation.
    for number in 0..<20 {
      let offset = Int64(number * 100)
      try file.write(IOBuffer(copying: bytes(number + 1)), at: offset, ledger.transfer())
      if number % 5 == 4 { try file.sync(ledger.sync()) }
    }
    queue.drain()
    XCTAssertEqual(system.held.count, 4)
    queue.cancelAll(of: file)
    XCTAssertEqual(system.held.count, 1)
    try settle()
    XCTAssertEqual(ledger[0], .moved(1))
    ledger.assertAll(.failed(.canceled), in: 1..<24)
    XCTAssertEqual(try folder.contents(of: "file"), [1])
    // Nothing was begun and failed, so the file is as good as before.
    try file.sync(ledger.sync())
    try settle()
    XCTAssertEqual(ledger[24], .done)
  }

  func test_cancelAllEndsEveryMemberOfAMergedWriteThatDoesNotRun() throws {
    system.helperCount = 1
    let other = AIOFile(try folder.open("other"), queue: queue)
    try other.write(IOBuffer(copying: [1]), at: 0, ledger.transfer())
    queue.drain()
    _ = try writeTens(0..<4)
    queue.drain()
    XCTAssertEqual(system.held.map(\.byteCount), [1, 40])
    queue.cancelAll(of: file)
    try settle()
    XCTAssertEqual(ledger[0], .moved(1))
    ledger.assertAll(.failed(.canceled), in: 1..<5)
    XCTAssertEqual(try folder.contents(of: "file"), [])
  }

  func test_cancelAllLeavesOtherFilesAlone() throws {
    let other = AIOFile(try folder.open("other"), queue: queue)
    try other.write(IOBuffer(copying: [1]), at: 0, ledger.transfer())
    _ = try writeTens(0..<4)
    queue.cancelAll(of: file)
    try settle()
    XCTAssertEqual(ledger[0], .moved(1))
    ledger.assertAll(.failed(.canceled), in: 1..<5)
  }
}
