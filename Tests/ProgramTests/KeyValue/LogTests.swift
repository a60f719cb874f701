import Foundation
import SystemPackage
import TestSupport
import XCTest

/// What becomes of the log: damaged, rewritten, locked. TornEndTests has it cut.
final class LogTests: KeyValueTestCase {
  func test_damageInTheMiddleStopsTheStart_namingTheOffset() throws {
    let site = try serve()
    let client = try site.client()
    for index in 0..<50 { XCTAssertEqual(try client.ask("SET", "key:\(index)", "value"), .ok) }
    site.server.kill9()
    let log = try site.records()
    var generator = SeededGenerator(seed: testSeed())
    for _ in 0..<30 {
      // Behind the header, and before the last batches.
      let place = Int.random(in: 24..<(log.count - 200), using: &generator)
      var damaged = log
      damaged[place] ^= 1 << UInt8.random(in: 0..<8, using: &generator)
      try site.setLog(damaged)
      let outcome = try site.runToEnd()
      XCTAssertEqual(outcome.status, 1, "\(place)")
      XCTAssertEqual(outcome.output, "")
      let pattern = #/the record at offset (\d+) is damaged/#
      let offset = try XCTUnwrap(
        outcome.errors.firstMatch(of: pattern).flatMap { Int($0.1) }, outcome.errors)
      XCTAssertTrue((place - 80...place).contains(offset), "\(place) \(offset)")
      XCTAssertTrue(try site.log() == damaged, "the log was changed")
    }
  }

  func test_orderlyEndHasDamageNoticedInTheVeryLastRecord() throws {
    let site = try serve()
    XCTAssertEqual(try site.client().ask("SET", "key", "value"), .ok)
    try site.end()
    var log = try site.log()
    let place = try XCTUnwrap(log.end(ofFirst: "value"))
    log[place - 1] ^= 1
    try site.setLog(log)
    XCTAssertEqual(try site.runToEnd().status, 1)
  }

  func test_otherFileIsLeftAlone() throws {
    let site = try serve()
    try site.end()
    let text = Array("some text that somebody has written into a file of that name".utf8)
    try site.setLog(text)
    let outcome = try site.runToEnd()
    XCTAssertEqual(outcome.status, 1)
    XCTAssertTrue(outcome.errors.contains("not an aio-kv log"), outcome.errors)
    XCTAssertEqual(try site.log(), text)
  }

  func test_pieceOfALogAsAValueIsNoRecord() throws {
    let site = try serve()
    let client = try site.client()
    try client.client.send(RedisClient.request([Array("SET".utf8), [1], try site.records()]))
    XCTAssertEqual(try client.readReply(), .ok)
    try site.crash()
    XCTAssertEqual(try site.client().ask("DBSIZE"), 1)
  }

  func test_secondServerIsRefused() throws {
    let site = try serve()
    let outcome = try site.runToEnd()
    XCTAssertEqual(outcome.status, 1)
    XCTAssertTrue(outcome.errors.contains("another server uses it"), outcome.errors)
    XCTAssertEqual(try site.client().ask("PING"), .status("PONG"))
  }

  func test_secondServerIsRefused_alsoWithoutTheLockFile() throws {
    let site = try serve()
    let data = site.directory.path.appending("data")
    try FileManager.default.removeItem(atPath: data.appending("aio-kv.lock").string)
    let outcome = try site.runToEnd()
    XCTAssertEqual(outcome.status, 1)
    XCTAssertTrue(outcome.errors.contains("another server uses it"), outcome.errors)
    XCTAssertEqual(try site.client().ask("SET", "a", "1"), .ok)
  }

  func test_rewrittenLogIsSmall_andHoldsEverything() throws {
    let site = try serve()
    let client = try site.client()
    for index in 0..<2000 { try client.send("SET", "key:\(index % 10)", "\(index)") }
    for _ in 0..<2000 { XCTAssertEqual(try client.readReply(), .ok) }
    XCTAssertEqual(try client.ask("SET", "short", "1", "EX", "1000"), .ok)
    let before = try site.records().count
    XCTAssertEqual(
      try client.ask("BGREWRITEAOF"), .status("Background append only file rewriting started"))
    try repeatUntil("the log was rewritten") { try site.records().count < 1000 }
    XCTAssertGreaterThan(before, 50_000)
    XCTAssertEqual(try client.ask("APPEND", "key:0", "x"), 5)
    try site.crash()
    XCTAssertEqual(try site.names(), [KeyValueSite.logName, "aio-kv.lock"].sorted())
    let next = try site.client()
    XCTAssertEqual(try next.ask("DBSIZE"), 11)
    XCTAssertEqual(try next.ask("GET", "key:0"), "1990x")
    XCTAssertEqual(try next.ask("GET", "key:9"), "1999")
    XCTAssertGreaterThan(try XCTUnwrap(try next.ask("TTL", "short").integer), 900)
  }

  func test_logIsRewrittenByItself_underLoad() throws {
    let site = try serve("--rewrite-minimum", "10000")
    let client = try site.client()
    var round = 0
    try repeatUntil("the log was rewritten twice") {
      for _ in 0..<500 {
        round += 1
        try client.send("SET", "key:\(round % 100)", "\(round)")
      }
      for _ in 0..<500 { XCTAssertEqual(try client.readReply(), .ok) }
      return try site.errors().components(separatedBy: "rewrote the log").count > 2
    }
    try site.crash()
    let next = try site.client()
    for index in 0..<100 {
      XCTAssertEqual(
        try next.ask("GET", "key:\((round - index) % 100)"), .bulk(Array("\(round - index)".utf8)))
    }
  }

  func test_everythingAcknowledgedIsThere_afterAnOrderlyEnd() throws {
    for policy in ["always", "everysec", "no"] {
      let site = try KeyValueSite(["--sync", policy])
      do {
        // Gone before the server ends, which would wait for it.
        let client = try site.client()
        for index in 0..<1000 { try client.send("SET", "key:\(index)", "\(index)") }
        for _ in 0..<1000 { XCTAssertEqual(try client.readReply(), .ok) }
      }
      try site.end()
      try site.start()
      XCTAssertEqual(try site.client().ask("DBSIZE"), 1000)
      XCTAssertEqual(try site.client().ask("GET", "key:999"), "999")
      try site.client().send("SHUTDOWN")
      XCTAssertEqual(try site.server.waitForEnd().status, 0)
    }
  }
}
