import Glibc
import SystemPackage
import TestSupport
import XCTest

@testable import PosixAIO

/// glibc starts no helper thread, or takes nothing for want of memory.
final class NoHelperTests: XCTestCase {
  func test_requestsFailOnceOrWait_whenNoThreadMayStart() throws {
    let outcome = try Program.run("NoHelpers")
    if outcome.output.hasPrefix("skip") { throw XCTSkip(outcome.output) }
    XCTAssertEqual(outcome.status, 0, outcome.errors)
    XCTAssertEqual(outcome.output, "ok\n")
  }

  func test_everythingFailsOnceWithItsReason_whenNothingIsTakenAndNothingIsInFlight() throws {
    for mergesWrites in [true, false] {
      let folder = try TemporaryDirectory()
      let system = ScriptedSystem()
      let queue = try CompletionQueue(
        configuration: .with { $0.mergesWrites = mergesWrites }, system: system)
      let ledger = Ledger()
      system.refusal = { _ in .resourceTemporarilyUnavailable }
      system.cachedCount = { _ in
        errno = EAGAIN
        return -1
      }
      let file = AIOFile(try folder.open("file"), queue: queue)
      for number in 0..<50 {
        try file.write(IOBuffer(copying: [1, 2]), at: Int64(number * 2), ledger.transfer())
        try file.read(into: IOBuffer(capacity: 10), at: Int64(number), ledger.transfer())
        try file.sync(ledger.sync())
      }
      try queue.runUntilIdle()
      ledger.assertAll(.failed(.resourceTemporarilyUnavailable))
      queue.assertIdle()
      XCTAssertEqual(try folder.contents(of: "file"), [])
    }
  }

  func test_whatIsNotTakenWaitsAndSucceeds_whileOthersAreInFlight() throws {
    let seed = testSeed()
    var random = SeededGenerator(seed: seed)
    let folder = try TemporaryDirectory()
    let system = ScriptedSystem()
    let queue = try CompletionQueue(configuration: .init(), system: system)
    let ledger = Ledger()
    let anchor = AIOFile(try folder.open("anchor"), queue: queue)
    // In flight for as long as the test wants it.
    try anchor.write(IOBuffer(copying: [1]), at: 0, ledger.transfer())
    queue.drain()
    let anchored = system.held[0].key
    // Of a group, any members.
    system.refusal = { _ in random.oneIn(3) ? .resourceTemporarilyUnavailable : nil }
    let file = AIOFile(
      try folder.open("file", options: [.create, .append]), queue: queue)
    for number in 0..<300 {
      try file.write(IOBuffer(copying: bytes(number, count: 7)), at: 0, ledger.transfer())
      if number % 20 == 19 { try file.sync(ledger.sync()) }
      // Some submissions are refused in part, and some merged writes.
      if number % 30 == 0 { queue.drain() }
    }
    try queue.run {
      while system.endFirst(where: { $0.key != anchored }) {}
      return queue.unfinishedCount == 1
    }
    system.endAll()
    try system.runUntilIdle(queue)
    ledger.assertEachOnce("seed \(seed)")
    XCTAssertTrue(ledger.entries.dropFirst().allSatisfy { $0 == [.moved(7)] || $0 == [.done] })
    XCTAssertEqual(
      try folder.contents(of: "file"), (0..<300).flatMap { bytes($0, count: 7) }, "seed \(seed)")
    queue.assertIdle("seed \(seed)")
  }
}
