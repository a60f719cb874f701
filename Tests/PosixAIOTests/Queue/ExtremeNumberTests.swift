import Glibc
import SystemPackage
import TestSupport
import XCTest

@testable import PosixAIO

/// Numbers at the end of their range: each call is accepted or refused, and none traps or spins.
final class ExtremeNumberTests: ScriptedQueueTestCase {
  private func assertInvalid(line: UInt = #line, _ body: () throws -> RequestID) {
    XCTAssertThrowsError(try body(), line: line) {
      XCTAssertEqual($0 as? Errno, .invalidArgument, line: line)
    }
  }

  func test_placesBeyondTheLargestOffsetAreRefused() throws {
    for offset in [.max, .max - 9, -1, .min] as [Int64] {
      assertInvalid {
        try file.read(into: IOBuffer(capacity: 10), at: offset) { _, _ in XCTFail("refused") }
      }
      assertInvalid {
        try file.write(IOBuffer(copying: bytes(1, count: 10)), at: offset) { _, _ in
          XCTFail("refused")
        }
      }
    }
    XCTAssertEqual(queue.unfinishedCount, 0)
  }

  func test_lastPlacesAreTheKernelsToRefuse_alsoWhenWritesAreMerged() throws {
    try file.read(into: IOBuffer(capacity: 10), at: .max - 10, ledger.transfer())
    try file.read(into: IOBuffer(capacity: 1), byteCount: 0, at: .max, ledger.transfer())
    try file.write(IOBuffer(copying: []), at: .max, ledger.transfer())
    for number in 0..<10 {
      try file.write(IOBuffer(copying: [1]), at: .max - 10 + Int64(number), ledger.transfer())
    }
    try settle()
    XCTAssertEqual(ledger[0], .moved(0))
    for number in 3..<13 {
      guard case .failed = ledger[number] else { return XCTFail("\(ledger.entries)") }
    }
  }

  func test_appendsIgnoreTheirOffset_howeverLarge() throws {
    let log = AIOFile(try folder.open("log", options: [.create, .append]), queue: queue)
    for number in 0..<20 {
      try log.write(IOBuffer(copying: bytes(number)), at: .max - Int64(number), ledger.transfer())
    }
    system.outcome = { .short(max(1, $0.byteCount / 2)) }
    try settle()
    ledger.assertAll(.moved(1))
    XCTAssertEqual(try folder.contents(of: "log"), (0..<20).map { UInt8($0) })
  }

  func test_pipesIgnoreTheirOffset_howeverLarge() throws {
    let queue = try CompletionQueue()
    let pipe = try TestPipe()
    let file = AIOFile(pipe.readEnd, queue: queue)
    try file.read(into: IOBuffer(capacity: 10), at: .max, ledger.read(expecting: [1]))
    try pipe.write([1])
    try queue.runUntilIdle()
    XCTAssertEqual(ledger[0], .moved(1))
  }

  func test_longestAndShortestTimeoutsAreTaken() throws {
    try file.write(
      IOBuffer(copying: [1]), at: 0, timeout: .seconds(Int64.max), ledger.transfer())
    queue.drain()
    try file.sync(
      timeout: Duration(secondsComponent: 0, attosecondsComponent: 1), ledger.sync())
    try queue.run { ledger.called == [1] }
    XCTAssertEqual(ledger[1], .failed(.timedOut))
    try settle()
    XCTAssertEqual(ledger[0], .moved(1))
  }

  func test_negativeLimitOfADrainIsNone() throws {
    try folder.write([1, 2, 3], to: "file")
    for _ in 0..<10 { try file.read(into: IOBuffer(capacity: 3), at: 0, ledger.transfer()) }
    for limit in [-1, .min, 0] { XCTAssertEqual(queue.drain(limit: limit), 0) }
    XCTAssertEqual(queue.drain(limit: 2, cachedReadLimit: -1, sources: .polls), 0)
    XCTAssertEqual(ledger.called, [])
    XCTAssertTrue(queue.isReadable, "it is asked for soon")
    try settle()
    ledger.assertAll(.moved(3))
  }

  func test_largestLimitsAreTaken() throws {
    try makeQueue {
      $0.inFlightLimit = .max
      $0.inFlightLimitPerFile = .max
      $0.waitingLimit = .max
      $0.heldByteLimit = .max
      $0.lanesPerFile = .max
      $0.blockingFileLimit = .max
      $0.completionsPerDrain = .max
      $0.aioThreadLimit = .max
      $0.backstopFloor = .seconds(Int64.max)
      $0.backstopCeiling = .seconds(Int64.max)
      $0.readsCacheFirst = false
    }
    for number in 0..<50 {
      try file.read(into: IOBuffer(capacity: 3), at: Int64(number), ledger.transfer())
      try file.write(IOBuffer(copying: [1]), at: Int64(number), ledger.transfer())
    }
    try file.sync(ledger.sync())
    XCTAssertTrue(queue.hasRoom(forBytes: .max / 2))
    try settle()
  }

  // MARK: Reads of more than 2 GiB

  private static let kernelLimit = 0x7FFF_F000

  func test_readGoesOn_whenTheKernelHasReadAllThatItReadsAtOnce() throws {
    try makeQueue { $0.readsCacheFirst = false }
    let byteCount = Self.kernelLimit * 2 + 100
    system.outcome = { .claimed(min($0.byteCount, Self.kernelLimit)) }
    var capacity = 0
    // Memory that nobody touches.
    try file.read(into: IOBuffer(capacity: byteCount), at: 7) { [ledger] result, buffer in
      capacity = buffer.count
      ledger.transfer()(result, IOBuffer(capacity: 0))
    }
    try settle()
    XCTAssertEqual(ledger[0], .moved(byteCount))
    XCTAssertEqual(capacity, byteCount)
    XCTAssertEqual(
      system.submitted.map(\.offset), [0, 1, 2].map { 7 + Int64($0 * Self.kernelLimit) })
  }

  func test_readEndsAtTheEndOfTheFile_behindTheFirst2GiB() throws {
    try makeQueue { $0.readsCacheFirst = false }
    var results = [Self.kernelLimit, 5]
    system.outcome = { _ in .claimed(results.removeFirst()) }
    try file.read(into: IOBuffer(capacity: Self.kernelLimit + 100), at: 0) { [ledger] result, _ in
      ledger.transfer()(result, IOBuffer(capacity: 0))
    }
    try settle()
    XCTAssertEqual(ledger[0], .moved(Self.kernelLimit + 5))
  }

  // MARK: Names of other queues

  func test_nameOfAnotherQueuesRequestCancelsNothing() throws {
    let other = try CompletionQueue(configuration: .init(), system: ScriptedSystem())
    let otherFile = AIOFile(try folder.open("other"), queue: other)
    let id = try file.write(IOBuffer(copying: [1]), at: 0, ledger.transfer())
    let otherID = try otherFile.write(IOBuffer(copying: [1]), at: 0) { _, _ in }
    XCTAssertEqual(id.index, otherID.index)
    XCTAssertNotEqual(id, otherID)
    XCTAssertEqual(queue.cancel(otherID), .allDone)
    XCTAssertEqual(queue.cancel(otherID, abandoning: true), .allDone)
    try settle()
    XCTAssertEqual(ledger[0], .moved(1))
    XCTAssertEqual(other.cancel(otherID), .canceled)
    other.drain()
  }
}
