import TestSupport
import XCTest

/// MULTI, EXEC, DISCARD, WATCH and UNWATCH, as Redis 7 has them.
final class TransactionTests: KeyValueTestCase {
  private let queued = RedisReply.status("QUEUED")
  private let aborted = RedisReply.error(
    "EXECABORT Transaction discarded because of previous errors.")

  func test_commandsRunAtExec_andEachHasItsReply() throws {
    let site = try serve()
    let (client, other) = (try site.client(), try site.client())
    try assert(client, [("MULTI", .ok), ("SET a 1", queued), ("INCR a", queued)])
    XCTAssertEqual(try other.line("GET a"), nil)
    try assert(
      client,
      [
        ("INCR a x", wrongCount("incr")), ("EXEC", aborted), ("GET a", nil),
        ("MULTI", .ok), ("SET a x", queued), ("INCR a", queued), ("GET a", queued),
        ("EXEC", [.ok, notAnInteger, "x"]), ("MULTI", .ok), ("EXEC", []),
        ("MULTI", .ok), ("SET a y", queued), ("DISCARD", .ok), ("GET a", "x"),
      ])
  }

  func test_errorsAreThoseOfRedis() throws {
    let client = try serve().client()
    try assert(
      client,
      [
        ("EXEC", .error("ERR EXEC without MULTI")),
        ("DISCARD", .error("ERR DISCARD without MULTI")), ("MULTI", .ok),
        // These do not abort the transaction.
        ("MULTI", .error("ERR MULTI calls can not be nested")),
        ("WATCH a", .error("ERR WATCH inside MULTI is not allowed")),
        ("UNWATCH", queued), ("SET a 1", queued), ("EXEC", [.ok, .ok]),
        // These do.
        ("MULTI", .ok),
        ("NOTHING", .error("ERR unknown command 'NOTHING', with args beginning with: ")),
        ("SET a 2", queued), ("EXEC", aborted), ("GET a", "1"),
        ("MULTI", .ok), ("SHUTDOWN", .error("ERR Command not allowed inside a transaction")),
        ("EXEC", aborted), ("MULTI", .ok), ("RESET", .status("RESET")),
        ("EXEC", .error("ERR EXEC without MULTI")), ("WATCH", wrongCount("watch")),
        ("MULTI x", wrongCount("multi")), ("MULTI", .ok), ("QUIT", .ok),
      ])
    XCTAssertEqual(try client.client.readToEnd(), [])
  }

  func test_execRunsNothing_whenAWatchedKeyHasChanged() throws {
    let site = try serve()
    let (client, other) = (try site.client(), try site.client())
    // Each of these changes a watched key.
    for change in [
      "SET a 2", "APPEND a x", "DEL a", "EXPIRE a 100", "RENAME b a", "FLUSHALL", "INCR n",
    ] {
      try assert(other, [("MSET a 1 b 1", .ok)])
      XCTAssertEqual(try client.line("WATCH a n"), .ok)
      _ = try other.line(change)
      try assert(client, [("MULTI", .ok), ("SET c 1", queued), ("EXEC", nil), ("GET c", nil)])
      // The keys are no longer watched.
      _ = try other.line("SET a 3")
      try assert(
        client, [("MULTI", .ok), ("SET c 1", queued), ("EXEC", [.ok]), ("DEL c", 1)])
    }
    // These do not.
    for change in ["GET a", "SET other 1", "EXPIRE none 100", "FLUSHALL"] {
      XCTAssertEqual(try client.line("WATCH none"), .ok)
      _ = try other.line(change)
      try assert(client, [("MULTI", .ok), ("SET c 1", queued), ("EXEC", [.ok])])
    }
  }

  func test_changesAreForgotten_byUnwatchDiscardAndReset() throws {
    let client = try serve().client()
    for words in ["UNWATCH", "DISCARD", "RESET"] {
      try assert(client, [("WATCH a", .ok), ("SET a 1", .ok)])
      if words == "DISCARD" { XCTAssertEqual(try client.line("MULTI"), .ok) }
      _ = try client.line(words)
      try assert(client, [("MULTI", .ok), ("PING", queued), ("EXEC", [.status("PONG")])])
    }
  }

  func test_execRunsNothing_whenAWatchedKeyHasExpired() throws {
    let site = try serve()
    let (client, other) = (try site.client(), try site.client())
    for isFound in [true, false] {
      try assert(client, [("SET a 1 PX 30", .ok), ("WATCH a", .ok), ("MULTI", .ok)])
      XCTAssertEqual(try client.line("SET b 1"), queued)
      // Found by a command, or removed by the timer.
      try repeatUntil("the key expired") {
        isFound ? try other.line("GET a") == nil : try other.line("DBSIZE") == 0
      }
      try assert(client, [("EXEC", nil), ("GET b", nil)])
    }
    // A key that had expired before it was watched is missing, which it still is.
    try assert(client, [("SET a 1 PX 1", .ok)])
    try repeatUntil("the key expired") { try other.line("GET a") == nil }
    try assert(client, [("WATCH a", .ok), ("MULTI", .ok), ("PING", queued)])
    XCTAssertEqual(try client.line("EXEC"), [.status("PONG")])
  }

  func test_increments_areNotLost_amongClientsThatWatch() throws {
    let site = try serve()
    let clients = try (0..<4).map { _ in try site.client() }
    var successCount = 0
    for _ in 0..<50 {
      for client in clients { try client.send("WATCH", "n") }
      for client in clients { try client.send("GET", "n") }
      for client in clients {
        XCTAssertEqual(try client.readReply(), .ok)
        let text = try client.readReply().bytes.map { String(decoding: $0, as: UTF8.self) }
        let number = text.flatMap { Int($0) } ?? 0
        try client.client.send(
          RedisClient.request(["MULTI"]) + RedisClient.request(["SET", "n", "\(number + 1)"])
            + RedisClient.request(["EXEC"]))
      }
      for client in clients {
        XCTAssertEqual(try client.readReply(), .ok)
        XCTAssertEqual(try client.readReply(), queued)
        if try client.readReply() == [.ok] { successCount += 1 }
      }
    }
    XCTAssertEqual(try clients[0].ask("GET", "n"), .bulk(Array("\(successCount)".utf8)))
    XCTAssertGreaterThanOrEqual(successCount, 50)
  }

  func test_transactionThatNeverEndsCountsAsMemory() throws {
    let site = try serve("--max-clients-memory", "1048576")
    let client = try site.client()
    XCTAssertEqual(try client.line("MULTI"), .ok)
    let request = RedisClient.request(["SET", "a", String(repeating: "v", count: 100_000)])
    for _ in 0..<20 where client.client.trySend(request) {}
    XCTAssertLessThan(try client.client.skip(byteCount: 1000), 1000, "it was disconnected")
    XCTAssertEqual(try site.client().line("DBSIZE"), 0)
  }
}
