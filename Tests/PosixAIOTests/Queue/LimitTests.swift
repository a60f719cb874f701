import Glibc
import SystemPackage
import TestSupport
import XCTest

@testable import PosixAIO

/// Contract 8: limits, and what happens over them.
final class LimitTests: ScriptedQueueTestCase {
  override func makeQueue(_ change: (inout CompletionQueue.Configuration) -> Void) throws {
    try super.makeQueue {
      $0.readsCacheFirst = false
      $0.mergesWrites = false
      change(&$0)
    }
  }

  private func makeFile(_ name: String) throws -> AIOFile {
    AIOFile(try folder.open(name), queue: queue)
  }

  private func assertRefused(line: UInt = #line, _ body: () throws(Errno) -> RequestID) {
    let before = queue.unfinishedCount
    do throws(Errno) {
      _ = try body()
      XCTFail("it was accepted", line: line)
    } catch {
      XCTAssertEqual(error, .resourceTemporarilyUnavailable, line: line)
    }
    XCTAssertEqual(queue.unfinishedCount, before, line: line)
  }

  func test_inFlightNeverExceedsItsLimits_overAllAndForEachFile() throws {
    try makeQueue {
      $0.inFlightLimit = 10
      $0.inFlightLimitPerFile = 4
    }
    let seed = testSeed()
    var random = SeededGenerator(seed: seed)
    let files = try (0..<5).map { try makeFile("\($0)") }
    for number in 0..<1000 {
      let file = files[number % 5]
      let place = Int64(number * 10)
      switch number % 13 {
      case 0: try file.sync(ledger.sync())
      case 1...6: try file.read(into: IOBuffer(capacity: 4), at: place, ledger.transfer())
      default: try file.write(IOBuffer(copying: [1]), at: place, ledger.transfer())
      }
      if random.oneIn(4) { queue.drain() }
      if random.oneIn(3) { system.endRunning(at: Int.random(in: 0..<100, using: &random)) }
      XCTAssertLessThanOrEqual(files.map(\.inFlightCount).max() ?? 0, 5, "seed \(seed)")
    }
    try settle()
    XCTAssertLessThanOrEqual(system.mostHeldCount, 10, "seed \(seed)")
    XCTAssertGreaterThan(system.mostHeldCount, 8, "seed \(seed)")
  }

  func test_limitOfOneIsEnough() throws {
    try makeQueue {
      $0.inFlightLimit = 1
      $0.inFlightLimitPerFile = 1
      $0.lanesPerFile = 1
      $0.completionsPerDrain = 1
    }
    let files = try (0..<3).map { try makeFile("\($0)") }
    for number in 0..<60 {
      let file = files[number % 3]
      try file.write(
        IOBuffer(copying: bytes(number)), at: Int64(number / 3), ledger.transfer())
      if number % 7 == 0 { try file.sync(ledger.sync()) }
    }
    for file in files { file.close(ledger.sync()) }
    try settle()
    XCTAssertEqual(system.mostHeldCount, 1)
    for name in 0..<3 {
      XCTAssertEqual(
        try folder.contents(of: "\(name)"), (0..<20).flatMap { bytes($0 * 3 + name) })
    }
  }

  func test_everythingOverInFlightIsRefused_ifTheCallerChoseThat() throws {
    try makeQueue {
      $0.overflow = .refuse
      $0.inFlightLimit = 4
    }
    let file = try makeFile("file")
    for number in 0..<4 {
      XCTAssertTrue(queue.hasRoom(forBytes: 1))
      try file.write(IOBuffer(copying: [1]), at: Int64(number), ledger.transfer())
    }
    XCTAssertFalse(queue.hasRoom())
    queue.drain()
    assertRefused { () throws(Errno) in
      try file.write(IOBuffer(copying: [9]), at: 9) { _, _ in XCTFail("it was refused") }
    }
    assertRefused { () throws(Errno) in
      try file.read(into: IOBuffer(capacity: 9), at: 9) { _, _ in XCTFail("it was refused") }
    }
    assertRefused { () throws(Errno) in try file.sync { _ in XCTFail("it was refused") } }
    XCTAssertEqual(system.submitted.count, 4)
    system.endFirst()
    try queue.run { ledger.called.count == 1 || system.endFirst() }
    try settle()
    XCTAssertTrue(queue.hasRoom())
    try file.sync(ledger.sync())
    try settle()
    XCTAssertEqual(try folder.contents(of: "file"), [1, 1, 1, 1])
  }

  func test_bytesOverTheirLimitAreRefused_butASingleRequestMayBeLarger() throws {
    try makeQueue { $0.heldByteLimit = 100 }
    let file = try makeFile("file")
    try file.write(IOBuffer(copying: bytes(1, count: 60)), at: 0, ledger.transfer())
    XCTAssertFalse(queue.hasRoom(forBytes: 41))
    XCTAssertTrue(queue.hasRoom(forBytes: 40))
    assertRefused { () throws(Errno) in
      try file.read(into: IOBuffer(capacity: 41), at: 0) { _, _ in XCTFail("it was refused") }
    }
    // The capacity counts, not what is read into it.
    assertRefused { () throws(Errno) in
      try file.read(into: IOBuffer(capacity: 41), byteCount: 1, at: 0) { _, _ in
        XCTFail("it was refused")
      }
    }
    try file.read(into: IOBuffer(capacity: 40), at: 100, ledger.transfer())
    try settle()
    try file.write(IOBuffer(copying: bytes(2, count: 500)), at: 0, ledger.transfer())
    XCTAssertEqual(queue.hot.heldByteCount, 500)
    assertRefused { () throws(Errno) in
      try file.write(IOBuffer(copying: [1]), at: 0) { _, _ in XCTFail("it was refused") }
    }
    try settle()
    XCTAssertEqual(try folder.contents(of: "file"), bytes(2, count: 500))
  }

  func test_abandonedMemoryCountsUntilItIsFree() throws {
    try makeQueue { $0.heldByteLimit = 100 }
    let file = try makeFile("file")
    let id = try file.write(IOBuffer(copying: bytes(1, count: 80)), at: 0, ledger.transfer())
    queue.drain()
    XCTAssertEqual(queue.cancel(id, abandoning: true), .abandoned)
    try queue.runUntilIdle()
    XCTAssertFalse(queue.hasRoom(forBytes: 21))
    try settle()
    XCTAssertTrue(queue.hasRoom(forBytes: 100))
  }

  func test_waitingLimitCountsParkedSyncsToo() throws {
    try makeQueue {
      $0.waitingLimit = 3
      $0.inFlightLimitPerFile = 2
    }
    let file = try makeFile("file")
    for number in 0..<2 {
      try file.write(IOBuffer(copying: [1]), at: Int64(number), ledger.transfer())
    }
    queue.drain()
    for _ in 0..<3 { try file.sync(ledger.sync()) }
    assertRefused { () throws(Errno) in try file.sync { _ in XCTFail("it was refused") } }
    XCTAssertEqual(queue.statistics.waitingCount, 3)
    XCTAssertEqual(queue.statistics.inFlightCount, 2)
    // A close is always accepted.
    file.close(ledger.sync())
    try settle()
  }
}
