import Glibc
import SystemPackage
import TestSupport
import XCTest

@testable import PosixAIO

/// Contract 7 when the disk fails: an EIO that no test can have from a real disk.
final class InjectedErrorTests: ScriptedQueueTestCase {
  override func setUpWithError() throws {
    try super.setUpWithError()
    system.endsAtOnce = true
    try makeQueue { $0.readsCacheFirst = false }
  }

  func test_failedReadHasItsReason_andTheFileIsAsGoodAsBefore() throws {
    try folder.write(bytes(5, count: 100), to: "file")
    system.outcome = { $0.kind == .read && $0.byteCount == 50 ? .failure(.ioError) : .real }
    try file.read(
      into: IOBuffer(capacity: 50), at: 0,
      ledger.transfer { _, found in
        XCTAssertEqual(found, [])
      })
    try file.read(into: IOBuffer(capacity: 60), at: 0, ledger.read(expecting: bytes(5, count: 60)))
    try file.sync(ledger.sync())
    try settle()
    XCTAssertEqual(ledger.entries, [[.failed(.ioError)], [.moved(60)], [.done]])
  }

  func test_syncsFailAfterAFailedSync_untilTheFileIsReopened() throws {
    system.outcome = { $0.isSync ? .failure(.ioError) : .real }
    try file.write(IOBuffer(copying: [1]), at: 0, ledger.transfer())
    try file.sync(ledger.sync())
    try settle()
    // The kernel would report the next one clean.
    system.outcome = { _ in .real }
    try file.sync(ledger.sync())
    try file.write(IOBuffer(copying: [2]), at: 1, ledger.transfer())
    try file.dataSync(ledger.sync())
    let reopened = AIOFile(try folder.open("file"), queue: queue)
    try reopened.sync(ledger.sync())
    try settle()
    XCTAssertEqual(
      ledger.entries,
      [
        [.moved(1)], [.failed(.ioError)], [.failed(.ioError)], [.moved(1)], [.failed(.ioError)],
        [.done],
      ])
    XCTAssertEqual(try folder.contents(of: "file"), [1, 2])
  }

  func test_syncsFailAfterAFailedWrite_alsoThatBehindIt() throws {
    system.outcome = { $0.kind == .write && $0.offset == 100 ? .failure(.ioError) : .real }
    try file.write(IOBuffer(copying: [1]), at: 0, ledger.transfer())
    try file.sync(ledger.sync())
    try settle()
    try file.write(IOBuffer(copying: [1]), at: 100, ledger.transfer())
    try file.sync(ledger.sync())
    try settle()
    try file.sync(ledger.sync())
    try settle()
    XCTAssertEqual(
      ledger.entries,
      [[.moved(1)], [.done], [.failed(.ioError)], [.failed(.ioError)], [.failed(.ioError)]])
  }

  func test_firstReasonIsKept_whenARunningSyncFailsForAnother() throws {
    system.endsAtOnce = false
    try file.sync(ledger.sync())
    queue.drain()
    try file.write(IOBuffer(copying: [1]), at: 0, ledger.transfer())
    queue.drain()
    system.outcome = { $0.kind == .write ? .failure(.noSpace) : .failure(.ioError) }
    system.endFirst { $0.kind == .write }
    queue.drain()
    system.endAll()
    try settle()
    try file.sync(ledger.sync())
    try settle()
    XCTAssertEqual(
      ledger.entries, [[.failed(.ioError)], [.failed(.noSpace)], [.failed(.noSpace)]])
  }

  func test_everySyncOfAGroupFails() throws {
    system.endsAtOnce = false
    try file.sync(ledger.sync())
    queue.drain()
    for number in 0..<10 {
      try file.write(IOBuffer(copying: [1]), at: Int64(number * 10), ledger.transfer())
      try file.sync(ledger.sync())
    }
    queue.drain()
    system.endAll()
    queue.drain()
    XCTAssertEqual(system.held.count(where: \.isSync), 1)
    system.outcome = { $0.isSync ? .failure(.ioError) : .real }
    try settle()
    XCTAssertEqual(ledger[0], .done)
    for number in stride(from: 1, to: 21, by: 2) {
      XCTAssertEqual(ledger[number], .moved(1))
      XCTAssertEqual(ledger[number + 1], .failed(.ioError))
    }
    XCTAssertEqual(system.submitted.count(where: \.isSync), 2)
  }

  func test_writeThatMovesNothingWithoutAReasonFails() throws {
    system.outcome = { $0.kind == .write ? .short(0) : .real }
    try file.write(IOBuffer(copying: [1]), at: 0, ledger.transfer())
    try settle()
    XCTAssertEqual(ledger[0], .failed(.ioError))
  }

  func test_mergedWriteIsSharedOut_whereTheErrorStopsIt() throws {
    // 35 of 100 bytes, then the error, then each for itself.
    system.outcome = { operation in
      switch operation.byteCount {
      case 100: .short(35)
      case 65: .failure(.ioError)
      default: .real
      }
    }
    for number in 0..<10 {
      try file.write(
        IOBuffer(copying: bytes(number + 1, count: 10)), at: Int64(number * 10), ledger.transfer())
    }
    try settle()
    ledger.assertAll(.moved(10), in: 0..<3)
    XCTAssertEqual(ledger[3], .failed(.ioError, byteCountDone: 5))
    ledger.assertAll(.moved(10), in: 4..<10)
    XCTAssertEqual(system.submitted.map(\.byteCount), [100, 65, 10, 10, 10, 10, 10, 10])
    let expected = (0..<10).flatMap { number -> [UInt8] in
      number == 3 ? bytes(4, count: 5) + bytes(0, count: 5) : bytes(number + 1, count: 10)
    }
    XCTAssertEqual(try folder.contents(of: "file"), expected)
  }
}
