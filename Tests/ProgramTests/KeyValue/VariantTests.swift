import TestSupport
import XCTest

/// The replies to the less common commands, as Redis 7 gives them.
final class VariantTests: KeyValueTestCase {
  private func invalidExpiry(_ name: String) -> RedisReply {
    .error("ERR invalid expire time in '\(name)' command")
  }

  func test_setVariants() throws {
    let client = try serve().client()
    try assert(
      client,
      [
        ("SETNX a 1", 1), ("SETNX a 2", 0), ("GET a", "1"), ("SETEX a 100 2", .ok),
        ("TTL a", 100), ("GET a", "2"), ("PSETEX a 100000 3", .ok), ("TTL a", 100),
        ("SETEX a 0 1", invalidExpiry("setex")), ("PSETEX a -1 1", invalidExpiry("psetex")),
        ("SETEX a x 1", notAnInteger), ("GETSET a 4", "3"), ("TTL a", -1),
        ("GETSET b 1", nil), ("GETDEL b", "1"), ("GETDEL b", nil), ("EXISTS b", 0),
        ("MSETNX a 1 b 2", 0), ("EXISTS b", 0), ("MSETNX b 1 c 2 b 3", 1), ("GET b", "3"),
        ("MSETNX b", wrongCount("msetnx")), ("MSETNX b 1 c", wrongCount("msetnx")),
        ("SETNX a", wrongCount("setnx")), ("SETEX a 1", wrongCount("setex")),
      ])
  }

  func test_getex() throws {
    let client = try serve().client()
    try assert(
      client,
      [
        ("GETEX a", nil), ("GETEX a EX 100", nil), ("SET a 1", .ok), ("GETEX a EX 100", "1"),
        ("TTL a", 100), ("GETEX a", "1"), ("TTL a", 100), ("GETEX a PERSIST", "1"),
        ("TTL a", -1), ("GETEX a PX 100000", "1"), ("TTL a", 100),
        ("GETEX a EX 0", invalidExpiry("getex")), ("GETEX a EX x", notAnInteger),
        ("GETEX a EX", syntaxError), ("GETEX a KEEPTTL", syntaxError),
        ("GETEX a EX 1 PX 1", syntaxError), ("GETEX a what 1", syntaxError),
        ("GETEX a PXAT 1", "1"), ("EXISTS a", 0),
      ])
  }

  func test_ranges() throws {
    let client = try serve().client()
    let tooLong = RedisReply.error(
      "ERR string exceeds maximum allowed size (proto-max-bulk-len)")
    try assert(
      client,
      [
        ("GETRANGE none 0 -1", ""), ("SET a 0123456789", .ok), ("GETRANGE a 0 3", "0123"),
        ("GETRANGE a -3 -1", "789"), ("GETRANGE a 5 3", ""), ("GETRANGE a -1 -5", ""),
        ("GETRANGE a 8 100", "89"), ("GETRANGE a -100 1", "01"), ("GETRANGE a 100 200", ""),
        ("GETRANGE a -100 -90", "0"), ("SUBSTR a 0 0", "0"),
        ("GETRANGE a 0 9223372036854775807", "0123456789"),
        ("GETRANGE a -9223372036854775808 9223372036854775807", "0123456789"),
        ("GETRANGE a x 1", notAnInteger), ("SETRANGE a 8 XYZ", 11), ("GET a", "01234567XYZ"),
        ("SETRANGE a 0 ab", 11), ("GET a", "ab234567XYZ"), ("SETRANGE b 2 x", 3),
        ("GET b", "\0\0x"), ("SETRANGE a -1 x", .error("ERR offset is out of range")),
        ("SETRANGE a 67108864 x", tooLong), ("SETRANGE a 9223372036854775807 x", tooLong),
        ("SETRANGE a x x", notAnInteger), ("SET a 1 EX 100", .ok), ("SETRANGE a 0 2", 1),
        ("TTL a", 100),
      ])
    XCTAssertEqual(try client.ask("SETRANGE", "none", "5", ""), 0)
    XCTAssertEqual(try client.line("EXISTS none"), 0)
  }

  func test_floats() throws {
    let client = try serve().client()
    let notAFloat = RedisReply.error("ERR value is not a valid float")
    try assert(
      client,
      [
        ("INCRBYFLOAT f 3.0", "3"), ("INCRBYFLOAT f 0.1", "3.1"), ("INCRBYFLOAT f -3.1", "0"),
        ("SET f 0.1", .ok), ("INCRBYFLOAT f 0.2", "0.3"), ("SET f 5.0e3", .ok),
        ("INCRBYFLOAT f 2.0e2", "5200"), ("INCRBYFLOAT f 1e17", "100000000000005200"),
        ("INCRBYFLOAT f x", notAFloat), ("INCRBYFLOAT f nan", notAFloat),
        ("INCRBYFLOAT f inf", .error("ERR increment would produce NaN or Infinity")),
        ("SET f x", .ok), ("INCRBYFLOAT f 1", notAFloat), ("SET f 1 EX 100", .ok),
        ("INCRBYFLOAT f -1.5", "-0.5"), ("TTL f", 100),
      ])
    XCTAssertEqual(try client.ask("SET", "f", " 1"), .ok)
    XCTAssertEqual(try client.line("INCRBYFLOAT f 1"), notAFloat)
  }

  func test_conditionsOfExpire() throws {
    let client = try serve().client()
    let both = RedisReply.error(
      "ERR NX and XX, GT or LT options at the same time are not compatible")
    try assert(
      client,
      [
        ("SET a 1", .ok), ("EXPIRE a 100 XX", 0), ("EXPIRE a 100 GT", 0),
        ("EXPIRE a 100 NX", 1), ("EXPIRE a 200 NX", 0), ("EXPIRE a 50 GT", 0),
        ("EXPIRE a 200 GT", 1), ("EXPIRE a 300 LT", 0), ("EXPIRE a 100 LT", 1), ("TTL a", 100),
        ("EXPIRE a 150 XX GT", 1), ("TTL a", 150), ("PERSIST a", 1), ("EXPIRE a 100 LT", 1),
        ("EXPIRE a 100 NX XX", both), ("EXPIRE a 100 NX GT", both),
        (
          "EXPIRE a 100 GT LT",
          .error("ERR GT and LT options at the same time are not compatible")
        ),
        ("EXPIRE a 100 what", .error("ERR Unsupported option what")), ("EXPIRE a 0 GT", 0),
        ("EXISTS a", 1), ("EXPIRE none 100 NX", 0),
      ])
  }

  func test_expiryAtATime_survivesACrash() throws {
    let site = try serve()
    let client = try site.client()
    try assert(
      client,
      [
        ("MSET a 1 b 2 c 3", .ok), ("EXPIREAT a 33177117420", 1), ("EXPIRETIME a", 33_177_117_420),
        ("PEXPIRETIME a", 33_177_117_420_000), ("PEXPIREAT b 33177117420600", 1),
        ("EXPIRETIME b", 33_177_117_421), ("EXPIRETIME c", -1), ("PEXPIRETIME none", -2),
        ("EXPIREAT c 1", 1), ("EXISTS c", 0),
        ("EXPIREAT a 9223372036854775807", invalidExpiry("expireat")),
      ])
    try site.crash()
    XCTAssertEqual(try site.client().line("PEXPIRETIME b"), 33_177_117_420_600)
  }

  func test_names_surviveACrash() throws {
    let site = try serve()
    let noSuchKey = RedisReply.error("ERR no such key")
    try assert(
      try site.client(),
      [
        ("SET a 1 EX 100", .ok), ("RENAME a b", .ok), ("EXISTS a", 0), ("GET b", "1"),
        ("TTL b", 100), ("RENAME a b", noSuchKey), ("RENAMENX a b", noSuchKey),
        ("RENAME b b", .ok), ("RENAMENX b b", 0), ("SET c 2", .ok), ("RENAMENX b c", 0),
        ("RENAMENX b d", 1), ("COPY d c", 0), ("GET c", "2"), ("COPY d c REPLACE", 1),
        ("GET c", "1"), ("TTL c", 100), ("COPY none e", 0), ("COPY d e DB 0", 1),
        ("COPY d e DB 1", .error("ERR DB index is out of range")), ("COPY d e what", syntaxError),
        ("COPY d d", .error("ERR source and destination objects are the same")),
        ("TOUCH c d none", 2),
      ])
    try site.crash()
    try assert(
      try site.client(), [("DBSIZE", 3), ("GET c", "1"), ("GET d", "1"), ("GET e", "1")])
  }

  func test_randomKeyIsOneOfTheKeys() throws {
    let client = try serve().client()
    XCTAssertEqual(try client.line("RANDOMKEY"), nil)
    for index in 0..<1000 { try client.send("SET", "\(index)", "1") }
    for index in 0..<999 { try client.send("DEL", "\(index)") }
    for _ in 0..<1999 { _ = try client.readReply() }
    XCTAssertEqual(try client.line("RANDOMKEY"), "999")
  }

  func test_valuesAreDescribed() throws {
    let client = try serve().client()
    try assert(
      client,
      [
        ("SET a 12345", .ok), ("OBJECT ENCODING a", "int"), ("SET a 007", .ok),
        ("OBJECT ENCODING a", "embstr"), ("OBJECT REFCOUNT a", 1), ("OBJECT ENCODING none", nil),
        ("OBJECT", wrongCount("object")),
        (
          "OBJECT what a",
          .error("ERR unknown subcommand 'what'. Try OBJECT HELP.")
        ),
        ("MEMORY USAGE none", nil), ("MEMORY USAGE a SAMPLES x", notAnInteger),
        ("MEMORY USAGE a what 1", syntaxError),
      ])
    _ = try client.ask("SET", "a", String(repeating: "v", count: 1000))
    XCTAssertEqual(try client.line("OBJECT ENCODING a"), "raw")
    XCTAssertGreaterThan(try XCTUnwrap(try client.line("MEMORY USAGE a").integer), 1000)
  }

  func test_timeAndWait() throws {
    let client = try serve().client()
    let time = try client.line("TIME").elements
    XCTAssertEqual(time.count, 2)
    XCTAssertGreaterThan(
      Int(String(decoding: time.first?.bytes ?? [], as: UTF8.self)) ?? 0, 1_600_000_000)
    try assert(
      client,
      [
        ("WAIT 0 0", 0), ("WAIT 1 100", 0), ("WAIT x 0", notAnInteger),
        ("WAIT 0 x", .error("ERR timeout is not an integer or out of range")),
        ("WAIT 0 -1", .error("ERR timeout is negative")),
      ])
  }
}
