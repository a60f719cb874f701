import SystemPackage
import TestSupport
import XCTest

@testable import PosixAIO

/// Contract 7, group commit, and merged writes: how many operations there are.
final class GroupCommitTests: ScriptedQueueTestCase {
  private var syncs: [ScriptedSystem.Operation.Kind] {
    system.submitted.map(\.kind).filter { $0 == .sync || $0 == .dataSync }
  }

  func test_syncsOfOneTurnAreOne() throws {
    for _ in 0..<100 { try file.sync(ledger.sync()) }
    try settle()
    ledger.assertAll(.done)
    XCTAssertEqual(syncs, [.sync])
    XCTAssertEqual(queue.statistics.mergedSyncCount, 99)
  }

  func test_syncsAcceptedWhileOneRunsAreOne() throws {
    try file.dataSync(ledger.sync())
    queue.drain()
    for number in 0..<50 {
      try file.write(IOBuffer(copying: [1]), at: Int64(number * 2), ledger.transfer())
      try file.dataSync(ledger.sync())
    }
    queue.drain()
    // The first one runs until the writes are done.
    while system.endFirst(where: { $0.kind == .write }) { queue.drain() }
    // Another thread may have taken a signal, which then comes a little later.
    try queue.run { ledger.called.count == 50 }
    XCTAssertEqual(syncs, [.dataSync])
    XCTAssertTrue(ledger.called.allSatisfy { $0 > 0 && $0 % 2 == 1 }, "writes alone")
    try settle()
    XCTAssertEqual(syncs, [.dataSync, .dataSync])
    XCTAssertEqual(queue.statistics.mergedSyncCount, 49)
  }

  func test_oneOfManyThatNeedsTheMetadataIsEnough() throws {
    try file.dataSync(ledger.sync())
    try settle()
    for number in 0..<10 {
      if number == 7 { try file.sync(ledger.sync()) } else { try file.dataSync(ledger.sync()) }
    }
    try settle()
    ledger.assertAll(.done)
    XCTAssertEqual(syncs, [.dataSync, .sync])
  }

  func test_syncDoesNotStartBeforeItsWritesHaveEnded_andNotForLaterOnes() throws {
    try file.write(IOBuffer(copying: [1]), at: 0, ledger.transfer())
    try file.sync(ledger.sync())
    try file.write(IOBuffer(copying: [2]), at: 100, ledger.transfer())
    queue.drain()
    XCTAssertEqual(syncs, [])
    system.endFirst { $0.offset == 0 }
    // Its group's other member runs on; the backstop finds it.
    try queue.run { !syncs.isEmpty }
    XCTAssertEqual(system.held.map(\.kind), [.write, .sync, .read])
    system.endFirst(where: \.isSync)
    system.endFirst(where: \.isSyncMarker)
    queue.drain()
    XCTAssertEqual(ledger.called, [0, 1])
    try settle()
  }

  func test_syncMarkerIsEmpty_whateverItsSlotWasUsedForBefore() throws {
    for number in 0..<20 {
      try file.write(
        IOBuffer(copying: bytes(1, count: 4096)), at: Int64(number * 10_000), ledger.transfer())
    }
    try settle()
    try file.sync(ledger.sync())
    try settle()
    XCTAssertEqual(system.submitted.last?.kind, .read)
    XCTAssertEqual(system.submitted.last?.byteCount, 0)
    XCTAssertEqual(system.submitted.last?.offset, 0)
  }

  // MARK: Merged writes

  func test_adjacentWritesAreFourOperations_eachWithItsOwnCount() throws {
    let counts = (0..<100).map { $0 % 7 + 1 }
    var offset: Int64 = 1000
    for (number, count) in counts.enumerated() {
      try file.write(
        IOBuffer(copying: bytes(number, count: count)), at: offset, ledger.transfer())
      offset += Int64(count)
    }
    try settle()
    XCTAssertEqual(ledger.entries, counts.map { [.moved($0)] })
    // Four, so that the loop goes on with the first while a helper writes the others.
    XCTAssertEqual(
      system.submitted.map(\.byteCount),
      stride(from: 0, to: 100, by: 25).map { counts[$0..<($0 + 25)].reduce(0, +) })
    XCTAssertEqual(queue.statistics.mergedWriteCount, 96)
    XCTAssertEqual(
      Array(try folder.contents(of: "file").dropFirst(1000)),
      counts.enumerated().flatMap { bytes($0.offset, count: $0.element) })
  }

  func test_shortMergedWriteGoesOn_andEachHasItsWholeCount() throws {
    system.outcome = { _ in .short(3) }
    for number in 0..<10 {
      try file.write(
        IOBuffer(copying: bytes(number, count: 10)), at: Int64(number * 10), ledger.transfer())
    }
    try settle()
    ledger.assertAll(.moved(10))
    XCTAssertEqual(system.submitted.count, 34)
    XCTAssertEqual(
      try folder.contents(of: "file"), (0..<10).flatMap { bytes($0, count: 10) })
  }

  func test_writesThatAreApartLargeOrEmptyAreNotMerged() throws {
    for offset: Int64 in [0, 20, 10, 30] {
      try file.write(IOBuffer(copying: bytes(1, count: 5)), at: offset, ledger.transfer())
    }
    try file.write(IOBuffer(copying: []), at: 35, ledger.transfer())
    try file.write(IOBuffer(copying: bytes(2, count: 40_000)), at: 35, ledger.transfer())
    try file.write(IOBuffer(copying: [3]), at: 40_035, ledger.transfer())
    try settle()
    XCTAssertEqual(system.submitted.map(\.byteCount), [5, 5, 5, 5, 0, 40_000, 1])
  }

  func test_mergedWriteHasALimit() throws {
    for number in 0..<20 {
      try file.write(
        IOBuffer(copying: Pattern.block(number, byteCount: 32_768)), at: Int64(number * 32_768),
        ledger.transfer())
    }
    try settle()
    ledger.assertAll(.moved(32_768))
    XCTAssertEqual(system.submitted.map(\.byteCount), [262_144, 262_144, 131_072])
    XCTAssertTrue(
      try folder.contents(of: "file")
        == (0..<20).flatMap { Pattern.block($0, byteCount: 32_768) })
  }
}
