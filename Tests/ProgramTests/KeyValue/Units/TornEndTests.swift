import Reactor
import XCTest

@testable import KeyValueServer

/// The end of a log that a crash has cut anywhere; LogPreallocationTests has aio-kv tell about one.
final class TornEndTests: XCTestCase {
  func test_tornEndIsCut_atEachByteOfTheLastRecord() throws {
    let loop = try EventLoop()
    let site = try OpenLog(on: loop)
    try site.set("first", "1")
    let whole = try site.records()
    try site.set("second", "2")
    try site.close()
    let longer = try site.bytes()
    XCTAssertGreaterThan(longer.count, whole.count)
    // The note of an orderly end stands behind it, and a note before; neither is a change.
    var ends: Set<Int64> = []
    for end in whole.count..<longer.count {
      let torn = try OpenLog(longer[..<end], on: loop)
      ends.insert(torn.log.end)
      XCTAssertEqual(try torn.bytes().count, Int(torn.log.end), "\(end)")
      XCTAssertLessThanOrEqual(Int(torn.log.end), end)
      XCTAssertEqual(torn["first"], "1", "\(end)")
      XCTAssertTrue(torn["second"] == nil || torn["second"] == "2", "\(end)")
      // And it goes on.
      try torn.set("third", "3")
      let next = try OpenLog(try torn.records(preallocatedByteCount: 4096), on: loop)
      XCTAssertEqual(next["first"], "1", "\(end)")
      XCTAssertEqual(next["second"], torn["second"], "\(end)")
      XCTAssertEqual(next["third"], "3", "\(end)")
      try torn.close()
      try next.close()
    }
    // Cut behind the first change, the note, and the second change.
    XCTAssertEqual(ends.count, 3)
  }

  func test_changesOfOneCommandAreCutTogether() throws {
    try checkCuts { database, keys in
      for key in keys {
        database.set(Key(Array(key.utf8)), Value(bytes: [1]), isContinued: key != keys.last)
      }
    }
  }

  func test_changesOfOneTransactionAreCutTogether() throws {
    try checkCuts { database, keys in
      database.beginGroup()
      for key in keys { database.set(Key(Array(key.utf8)), Value(bytes: [1])) }
      database.append([2], to: Key(Array("before".utf8)))
      database.remove([Key(Array("gone".utf8))])
      database.endGroup()
    }
  }

  /// - Parameter change: Sets the given keys.
  private func checkCuts(_ change: (Database, [String]) -> Void) throws {
    let loop = try EventLoop()
    let site = try OpenLog(on: loop)
    try site.set("before", "1")
    try site.set("gone", "1")
    let whole = try site.records()
    let keys = ["a", "b", "c"]
    change(site.log.database, keys)
    site.log.commit()
    try loop.run(until: "the changes were written") { !site.log.isBusy }
    let longer = try site.records()
    for end in whole.count...longer.count {
      let torn = try OpenLog(longer[..<end], on: loop)
      let count = keys.count { torn[$0] != nil }
      XCTAssertEqual(count, end == longer.count ? 3 : 0, "\(end)")
      let isWhole = end == longer.count
      XCTAssertEqual(torn["before"], isWhole ? site["before"] : "1", "\(end)")
      XCTAssertEqual(torn["gone"], isWhole ? site["gone"] : "1", "\(end)")
      try torn.close()
    }
    try site.close()
  }
}
