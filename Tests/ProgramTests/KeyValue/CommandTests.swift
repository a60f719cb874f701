import TestSupport
import XCTest

/// The replies to each command, as Redis 7 gives them.
final class CommandTests: KeyValueTestCase {
  func test_connectionCommands() throws {
    let client = try serve().client()
    try assert(
      client,
      [
        ("PING", .status("PONG")), ("ping hello", "hello"), ("PING a b", wrongCount("ping")),
        ("ECHO hello", "hello"), ("ECHO", wrongCount("echo")), ("SELECT 0", .ok),
        ("SELECT 1", .error("ERR DB index is out of range")), ("SELECT x", notAnInteger),
        ("CLIENT SETNAME me", .ok), ("CLIENT SETINFO LIB-NAME it", .ok),
        ("CONFIG GET save", ["save", ""]), ("CONFIG GET appendonly", ["appendonly", "yes"]),
        ("CONFIG GET nothing", []), ("CONFIG GET", wrongCount("config|get")),
      ])
    let info = try XCTUnwrap(try client.ask("INFO").bytes)
    XCTAssertTrue(info.contains("aof_enabled:1\r\n"))
    XCTAssertEqual(try client.ask("QUIT"), .ok)
    XCTAssertEqual(try client.client.readToEnd(), [])
  }

  func test_set() throws {
    let client = try serve().client()
    try assert(
      client,
      [
        ("GET a", nil), ("SET a 1", .ok), ("GET a", "1"), ("SET a 2 NX", nil), ("GET a", "1"),
        ("SET a 2 XX", .ok), ("GET a", "2"), ("SET b 1 XX", nil), ("EXISTS b", 0),
        ("SET a 3 GET", "2"), ("SET b 1 GET", nil), ("GET b", "1"), ("SET b 2 NX GET", "1"),
        ("GET b", "1"), ("SET a 1 EX 100", .ok), ("TTL a", 100), ("SET a 2 KEEPTTL", .ok),
        ("TTL a", 100), ("SET a 2", .ok), ("TTL a", -1), ("SET a 1 px 100000", .ok),
        ("TTL a", 100), ("SET a 1 PXAT 1", .ok), ("GET a", nil),
        ("SET a", wrongCount("set")), ("SET a 1 NX XX", syntaxError), ("SET a 1 EX", syntaxError),
        ("SET a 1 EX 1 PX 1", syntaxError), ("SET a 1 what", syntaxError),
        ("SET a 1 EX x", notAnInteger),
        ("SET a 1 EX 0", .error("ERR invalid expire time in 'set' command")),
        ("SET a 1 EX -1", .error("ERR invalid expire time in 'set' command")),
        ("SET a 1 EX 9223372036854775807", .error("ERR invalid expire time in 'set' command")),
        ("EXISTS a", 0),
      ])
  }

  func test_values() throws {
    let client = try serve().client()
    try assert(
      client,
      [
        ("MSET a 1 b 2 c 3", .ok), ("MGET a x b c", ["1", nil, "2", "3"]),
        ("MSET a", wrongCount("mset")), ("MSET a 1 b", wrongCount("mset")),
        ("APPEND s ab", 2), ("APPEND s cd", 4), ("GET s", "abcd"), ("STRLEN s", 4),
        ("STRLEN none", 0), ("INCR n", 1), ("INCR n", 2), ("DECR n", 1), ("INCRBY n 10", 11),
        ("DECRBY n 12", -1), ("GET n", "-1"), ("INCR s", notAnInteger),
        ("INCRBY n x", notAnInteger),
        ("INCRBY n 9223372036854775807", 9_223_372_036_854_775_806), ("INCR n", .integer(.max)),
        ("INCR n", .error("ERR increment or decrement would overflow")),
        ("DECRBY n -9223372036854775808", .error("ERR decrement would overflow")),
        ("SET n 1.5", .ok), ("INCR n", notAnInteger), ("SET n 007", .ok), ("INCR n", notAnInteger),
        ("SET n 5 EX 100", .ok), ("INCR n", 6), ("APPEND n 0", 2), ("INCR n", 61), ("TTL n", 100),
        ("GET", wrongCount("get")), ("MGET", wrongCount("mget")), ("INCR", wrongCount("incr")),
      ])
  }

  func test_keys() throws {
    let client = try serve().client()
    try assert(
      client,
      [
        ("MSET a 1 b 2 c 3", .ok), ("DBSIZE", 3), ("EXISTS a b x a", 3), ("DEL a x a", 1),
        ("DBSIZE", 2), ("TYPE b", .status("string")), ("TYPE a", .status("none")),
        ("EXPIRE b 100", 1), ("TTL b", 100), ("PERSIST b", 1), ("PERSIST b", 0), ("TTL b", -1),
        ("TTL a", -2), ("PTTL a", -2), ("EXPIRE a 100", 0), ("PEXPIRE b 100000", 1), ("TTL b", 100),
        ("EXPIRE b -1", 1), ("EXISTS b", 0), ("EXPIRE c x", notAnInteger),
        (
          "EXPIRE c 9223372036854775807",
          .error("ERR invalid expire time in 'expire' command")
        ),
        ("KEYS *", ["c"]), ("KEYS [ab]", []), ("FLUSHALL", .ok), ("DBSIZE", 0),
        ("SET a 1", .ok), ("FLUSHDB ASYNC", .ok), ("DBSIZE", 0), ("FLUSHALL now", syntaxError),
        ("SCAN x", .error("ERR invalid cursor")), ("SCAN 0 COUNT 0", syntaxError),
        ("SCAN 0 MATCH", syntaxError), ("SCAN 0", ["0", []]),
        ("SCAN 999999999999", ["0", []]), ("DEL", wrongCount("del")),
      ])
  }

  func test_expiredKeyIsGone_alsoAfterACrash() throws {
    let site = try serve()
    let client = try site.client()
    XCTAssertEqual(try client.ask("SET", "short", "1", "PX", "1"), .ok)
    XCTAssertEqual(try client.ask("SET", "long", "1", "EX", "1000"), .ok)
    try repeatUntil("the key expired") { try client.ask("GET", "short") == nil }
    // The timer removes expired keys, too, without a command.
    XCTAssertEqual(try client.ask("SET", "other", "1", "PX", "1"), .ok)
    try repeatUntil("the key expired") { try client.ask("DBSIZE") == 1 }
    try site.crash()
    let next = try site.client()
    XCTAssertEqual(try next.ask("GET", "short"), nil)
    XCTAssertGreaterThan(try XCTUnwrap(try next.ask("TTL", "long").integer), 900)
  }

  func test_everyKeyIsMetByAScan_whileOthersComeAndGo() throws {
    let client = try serve().client()
    for index in 0..<500 { try client.send("SET", "stay:\(index)", "1") }
    for _ in 0..<500 { XCTAssertEqual(try client.readReply(), .ok) }
    var met: Set<[UInt8]> = []
    var cursor = "0"
    var round = 0
    repeat {
      let reply = try client.ask("SCAN", cursor, "MATCH", "stay:*", "COUNT", "7").elements
      cursor = String(decoding: try XCTUnwrap(reply.first?.bytes), as: UTF8.self)
      met.formUnion(reply[1].elements.compactMap(\.bytes))
      round += 1
      _ = try client.ask("SET", "go:\(round)", "1")
      if round > 3 { _ = try client.ask("DEL", "go:\(round - 3)") }
    } while cursor != "0"
    XCTAssertEqual(met.count, 500)
  }

  func test_scanFindsAFewKeysAtOnce_afterManyWereRemoved() throws {
    let client = try serve().client()
    for index in 0..<20_000 { try client.send("SET", "key:\(index)", "1") }
    for _ in 0..<20_000 { XCTAssertEqual(try client.readReply(), .ok) }
    XCTAssertEqual(
      try client.ask(["DEL"] + (10..<20_000).map { "key:\($0)" }), .integer(19_990))
    let first = try client.ask("SCAN", "0").elements
    let rest = try client.ask("SCAN", String(decoding: first[0].bytes ?? [], as: UTF8.self))
    XCTAssertEqual(first[1].elements.count, 10)
    XCTAssertTrue(first[0] == "0" || rest == ["0", []], "\(first[0]) \(rest)")
  }

  func test_tenThousandPipelinedCommands_getTheirRepliesInOrder() throws {
    let client = try serve().client()
    var bytes: [UInt8] = []
    for index in 0..<10_000 {
      switch index % 4 {
      case 0: bytes += RedisClient.request(["SET", "k", "\(index)"])
      case 1: bytes += RedisClient.request(["GET", "k"])
      case 2: bytes += RedisClient.request(["ECHO", "\(index)"])
      default: bytes += RedisClient.request(["INCR", "n"])
      }
    }
    try client.client.send(bytes)
    for index in 0..<10_000 {
      let wanted: RedisReply =
        switch index % 4 {
        case 0: .ok
        case 1: .bulk(Array("\(index - 1)".utf8))
        case 2: .bulk(Array("\(index)".utf8))
        default: .integer(index / 4 + 1)
        }
      XCTAssertEqual(try client.readReply(), wanted)
    }
  }

  func test_linesAreCommands_too() throws {
    let client = try serve().client()
    try client.client.send("SET \"a key\" 'it\\'s'\r\n\r\nGET \"a key\"\nPING\r\n")
    XCTAssertEqual(try client.readReply(), .ok)
    XCTAssertEqual(try client.readReply(), "it's")
    XCTAssertEqual(try client.readReply(), .status("PONG"))
  }

  func test_invalidRequestGetsAnError_andTheConnectionIsClosed() throws {
    let site = try serve()
    for (bytes, reason) in [
      ("*x\r\n", "invalid multibulk length"), ("*1048577\r\n", "invalid multibulk length"),
      ("*1\r\n:1\r\n", "expected '$', got ':'"), ("*1\r\n$-1\r\n", "invalid bulk length"),
      ("*1\r\n$67108865\r\n", "invalid bulk length"),
      ("GET \"a\r\n", "unbalanced quotes in request"),
      (String(repeating: "a", count: 70_000), "too big inline request"),
      ("*" + String(repeating: "1", count: 70_000), "too big mbulk count string"),
      ("*1\r\n$" + String(repeating: "1", count: 70_000), "too big bulk count string"),
    ] {
      let client = try site.client()
      try client.client.send("PING\r\n" + bytes)
      XCTAssertEqual(try client.readReply(), .status("PONG"))
      XCTAssertEqual(try client.readReply(), .error("ERR Protocol error: \(reason)"))
      XCTAssertEqual(try client.client.readToEnd(), [], reason)
    }
  }

  func test_requestInPiecesOfOneByteIsUnderstood() throws {
    let client = try serve().client()
    for byte in RedisClient.request(["SET", "a", "1"]) { try client.client.send([byte]) }
    XCTAssertEqual(try client.readReply(), .ok)
  }

  func test_largestValueIsKept_andOneByteMoreIsRefused() throws {
    let client = try serve().client()
    let largest = [UInt8](repeating: 7, count: 64 * 1024 * 1024)
    try client.client.send(RedisClient.request([Array("SET".utf8), [0, 255], largest]))
    XCTAssertEqual(try client.readReply(), .ok)
    XCTAssertEqual(
      try client.ask("STRLEN", "none"), 0)
    try client.client.send(RedisClient.request([Array("GET".utf8), [0, 255]]))
    XCTAssertTrue(try client.readReply().bytes == largest)
    try client.client.send(RedisClient.request([Array("APPEND".utf8), [0, 255], [1]]))
    XCTAssertEqual(
      try client.readReply(),
      .error("ERR string exceeds maximum allowed size (proto-max-bulk-len)"))
  }
}
