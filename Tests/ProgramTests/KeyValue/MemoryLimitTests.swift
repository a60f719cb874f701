import TestSupport
import XCTest

/// The limit of the memory of keys and values.
final class MemoryLimitTests: KeyValueTestCase {
  private let refusal = RedisReply.error(
    "OOM command not allowed when used memory > 'maxmemory'.")

  func test_commandsThatNeedMemoryAreRefused_atTheLimit() throws {
    let client = try serve("--maxmemory", "100000").client()
    var count = 0
    while try client.ask("SET", "key:\(count)", String(repeating: "v", count: 1000)) == .ok {
      count += 1
    }
    XCTAssertTrue((80..<100).contains(count), "\(count)")
    try assert(
      client,
      [
        ("SET a 1", refusal), ("APPEND key:1 x", refusal), ("STRLEN key:1", 1000),
        ("EXPIRE key:1 100", 1), ("RENAME key:1 key:a", .ok), ("MULTI", .ok), ("SET a 1", refusal),
        ("EXEC", .error("EXECABORT Transaction discarded because of previous errors.")),
        (
          "CONFIG GET maxmemory*",
          [
            "maxmemory", "100000", "maxmemory-clients", "1073741824",
            "maxmemory-policy", "noeviction",
          ]
        ),
        ("DEL key:2 key:3", 2), ("SET a 1", .ok), ("CONFIG SET maxmemory 1kb", .ok),
        ("SET a 1", refusal), ("FLUSHALL", .ok), ("SET a 1", .ok),
        ("CONFIG SET maxmemory 0", .ok), ("SET b 1", .ok),
      ])
  }

  func test_execIsRefused_whenTheLimitWasReachedMeanwhile() throws {
    let site = try serve("--maxmemory", "1000")
    let (client, other) = (try site.client(), try site.client())
    try assert(client, [("MULTI", .ok), ("SET a 1", .status("QUEUED"))])
    XCTAssertEqual(try other.ask("SET", "b", String(repeating: "v", count: 2000)), .ok)
    XCTAssertEqual(
      try client.line("EXEC").errorText,
      "EXECABORT Transaction discarded because of: " + (refusal.errorText ?? ""))
    XCTAssertEqual(try client.line("GET a"), nil)
  }

  func test_randomKeysAreRemovedForGood_underThatPolicy() throws {
    let site = try serve("--maxmemory", "200000", "--maxmemory-policy", "allkeys-random")
    let client = try site.client()
    for index in 0..<5000 { try client.send("SET", "key:\(index)", "value") }
    for _ in 0..<5000 { XCTAssertEqual(try client.readReply(), .ok) }
    let count = try XCTUnwrap(try client.ask("DBSIZE").integer)
    XCTAssertTrue((500..<2500).contains(count), "\(count)")
    let info = String(decoding: try XCTUnwrap(try client.ask("INFO").bytes), as: UTF8.self)
    XCTAssertTrue(info.contains("evicted_keys:\(5000 - count)\r\n"), info)
    try site.crash()
    XCTAssertEqual(try site.client().ask("DBSIZE"), .integer(count))
  }

  func test_lowerLimitRemovesKeys_withoutACommand() throws {
    let site = try serve("--maxmemory-policy", "allkeys-random")
    let client = try site.client()
    for index in 0..<5000 { try client.send("SET", "key:\(index)", "value") }
    for _ in 0..<5000 { XCTAssertEqual(try client.readReply(), .ok) }
    try assert(client, [("CONFIG SET maxmemory 100000", .ok)])
    try repeatUntil("keys were removed") {
      try XCTUnwrap(try client.ask("DBSIZE").integer) < 1000
    }
    try assert(
      client,
      [
        (
          "CONFIG SET maxmemory-policy allkeys-lru",
          .error(
            "ERR CONFIG SET failed (possibly related to argument 'maxmemory-policy') - "
              + "argument(s) must be one of the following: noeviction, allkeys-random")
        )
      ])
  }
}
