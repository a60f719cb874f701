import TestSupport
import XCTest

@testable import KeyValueServer

/// The zeros after the log's end, which the next batches overwrite.
final class LogPreallocationTests: KeyValueTestCase {
  private let zeros = [UInt8](repeating: 0, count: LogPreallocation.byteCount)

  func test_batchPreallocates_andTheNextOverwritesTheZeros() throws {
    let site = try serve()
    let client = try site.client()
    XCTAssertEqual(try client.ask("SET", "first", "1"), .ok)
    let size = try site.log().count
    XCTAssertGreaterThan(size, LogPreallocation.byteCount)
    XCTAssertEqual(try client.ask("SET", "second", "2"), .ok)
    XCTAssertEqual(try site.log().count, size)
    // More than the preallocated space.
    let value = String(repeating: "v", count: LogPreallocation.byteCount)
    XCTAssertEqual(try client.ask("SET", "large", value), .ok)
    XCTAssertGreaterThan(try site.log().count, size + LogPreallocation.byteCount)
    try site.crash()
    let next = try site.client()
    XCTAssertEqual(try next.ask("MGET", "first", "second"), ["1", "2"])
    XCTAssertEqual(try next.ask("STRLEN", "large"), .integer(LogPreallocation.byteCount))
  }

  func test_preallocationIsNoTornEnd_afterAKill() throws {
    let site = try serve()
    XCTAssertEqual(try site.client().ask("SET", "key", "value"), .ok)
    try site.crash()
    XCTAssertEqual(try site.client().ask("GET", "key"), "value")
    XCTAssertFalse(try site.errors().contains("torn"))
  }

  func test_orderlyEndLeavesNoPreallocation() throws {
    let site = try serve()
    XCTAssertEqual(try site.client().ask("SET", "key", "value"), .ok)
    try site.end()
    XCTAssertEqual(try site.log().count, try site.records().count)
  }

  func test_logThatIsNotSyncedHasNone() throws {
    for policy in ["everysec", "no"] {
      let site = try KeyValueSite(["--sync", policy])
      XCTAssertEqual(try site.client().ask("SET", "key", "value"), .ok)
      XCTAssertEqual(try site.log().count, try site.records().count)
    }
  }

  func test_silentServerNotesOnceThatAllIsOnTheDisk() throws {
    let sites = try ["always", "everysec", "no"].map { try KeyValueSite(["--sync", $0]) }
    let clients = try sites.map { try $0.client() }
    for client in clients { XCTAssertEqual(try client.ask("SET", "key", "value"), .ok) }
    let sizes = try sites.map { try $0.records().count }
    // Ten ticks a second, and a sync each second.
    try repeatUntil("three notes would have been written") {
      try clients.allSatisfy {
        try $0.ask("INFO", "Server").text.contains(#/uptime_in_seconds:[3-9]/#)
      }
    }
    let note = LogRecord.byteCount(keyByteCount: 0, valueByteCount: 0)
    for (site, size) in zip(sites, sizes) {
      XCTAssertLessThanOrEqual(try site.records().count, size + note)
    }
  }

  func test_tornBatchInThePreallocationIsCut_whicheverPageOfItIsMissing() throws {
    let site = try serve()
    XCTAssertEqual(try site.client().ask("SET", "before", "1"), .ok)
    site.server.kill9()
    let whole = try site.records()
    try site.start()
    let value = String(repeating: "v", count: 20_000)
    XCTAssertEqual(try site.client().ask("MSET", "a", value, "b", value), .ok)
    site.server.kill9()
    let longer = try site.log()
    // One page of the batch has not reached the disk, and those around it have.
    let pages = (whole.count..<whole.count + 40_000).map { $0 / 4096 }
    let (first, last) = (try XCTUnwrap(pages.first), try XCTUnwrap(pages.last))
    for missing in stride(from: first, through: last, by: 3) {
      var log = longer
      for place in max(whole.count, missing * 4096)..<(missing + 1) * 4096 { log[place] = 0 }
      try site.setLog(log)
      try site.start()
      let client = try site.client()
      XCTAssertEqual(try client.ask("EXISTS", "a", "b"), 0, "page \(missing)")
      XCTAssertEqual(try client.ask("GET", "before"), "1", "page \(missing)")
      XCTAssertEqual(try client.ask("SET", "after", "2"), .ok)
      try site.crash()
      XCTAssertEqual(try site.client().ask("GET", "after"), "2", "page \(missing)")
      site.server.kill9()
    }
    XCTAssertTrue(try site.errors().contains("cut the log's torn end at offset"))
  }

  func test_zerosBeforeANoteAreDamage() throws {
    let site = try serve()
    let client = try site.client()
    for index in 0..<50 { XCTAssertEqual(try client.ask("SET", "key:\(index)", "value"), .ok) }
    site.server.kill9()
    var log = try site.log()
    for place in 100..<1000 { log[place] = 0 }
    try site.setLog(log)
    let outcome = try site.runToEnd()
    XCTAssertEqual(outcome.status, 1)
    XCTAssertTrue(outcome.errors.contains("is damaged"), outcome.errors)
  }
}

extension RedisReply {
  fileprivate var text: String { String(decoding: bytes ?? [], as: UTF8.self) }
}
