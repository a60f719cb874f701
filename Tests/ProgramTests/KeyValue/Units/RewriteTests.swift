import Reactor
import TestSupport
import XCTest

@testable import KeyValueServer

/// Changes while the log is rewritten.
final class RewriteTests: XCTestCase {
  private static let keyCount = 40

  func test_rewrittenLogHoldsEverything_whateverChangesMeanwhile() throws {
    let seed = testSeed()
    var generator = SeededGenerator(seed: seed)
    let loop = try EventLoop()
    for round in 0..<30 {
      let site = try OpenLog(on: loop)
      for number in 0..<Self.keyCount { change(site, number, &generator) }
      site.log.commit()
      try loop.run(until: "the first changes were written") { !site.log.isBusy }
      try site.log.startRewrite()
      var stepCount = 0
      // Each step is one look at the sockets and at the disk, in the middle of the rewrite.
      try loop.run(until: "the log was rewritten") {
        stepCount += 1
        if stepCount < 200, generator.oneIn(2) {
          change(site, Int.random(in: 0..<Self.keyCount, using: &generator), &generator)
          site.log.commit()
        }
        return site.log.rewrite == nil && !site.log.isBusy
      }
      let next = try OpenLog(try site.records(), on: loop)
      for number in 0..<Self.keyCount {
        XCTAssertEqual(next["\(number)"], site["\(number)"], "round \(round), seed \(seed)")
      }
      let (rewritten, kept) = (next.log.database.keyspace, site.log.database.keyspace)
      XCTAssertEqual(rewritten.count, kept.count, "round \(round), seed \(seed)")
      XCTAssertEqual(rewritten.byteCount, kept.byteCount, "round \(round), seed \(seed)")
      try next.close()
      try site.close()
    }
  }

  /// A rollback brings back keys that the rewrite has passed.
  func test_rewriteStartsOver_whenARepairFails() throws {
    let loop = try EventLoop()
    let site = try OpenLog(on: loop)
    for number in 0..<Self.keyCount { try site.set("\(number)", "value") }
    // A batch that waits for a repair.
    site.log.state = .repairing(reason: nil)
    site.log.database.removeAll()
    try site.log.startRewrite()
    try loop.run(until: "the rewrite has passed all keys") { site.log.isPaused }
    site.log.drop(reason: "a repair failed")
    XCTAssertEqual(site.log.database.keyspace.count, Self.keyCount)
    try loop.run(until: "the log was repaired and rewritten") {
      site.log.tick()
      return site.log.rewrite == nil && site.log.writeError == nil
    }
    let next = try OpenLog(try site.records(), on: loop)
    XCTAssertEqual(next.log.database.keyspace.count, Self.keyCount)
    try next.close()
    try site.close()
  }

  private func change(_ site: OpenLog, _ number: Int, _ generator: inout SeededGenerator) {
    let database = site.log.database
    let key = Key(Array("\(number)".utf8))
    let isThere = database.read(key, .newest) != nil
    switch Int.random(in: 0..<10, using: &generator) {
    case 0: database.removeAll()
    case 1...2 where isThere: database.remove([key])
    case 3...4 where isThere: database.append(Array("+".utf8), to: key)
    default:
      let value = "\(Int.random(in: 0..<1000, using: &generator))"
      database.set(key, Value(bytes: Array(value.utf8)))
    }
  }
}
