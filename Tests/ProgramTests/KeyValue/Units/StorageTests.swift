import PosixAIO
import TestSupport
import XCTest

@testable import KeyValueServer

final class StorageTests: XCTestCase {
  func test_checksumIsTheOneOfTheStandard() {
    // RFC 3720, B.4, and the usual check value.
    for (bytes, sum) in [
      (Array("123456789".utf8), 0xE306_9283), ([UInt8](repeating: 0, count: 32), 0x8A91_36AA),
      ([UInt8](repeating: 0xFF, count: 32), 0x62A8_AB43), (Array(0..<32), 0x46DD_794E), ([], 0),
    ] as [([UInt8], UInt32)] {
      unsafe XCTAssertEqual(CRC32C.checksum(bytes.span.bytes), sum)
      // By tables, which other processors use.
      unsafe XCTAssertEqual(CRC32C.checksum(bytes.span.bytes, usingInstruction: false), sum)
      for cut in 0...bytes.count {
        let first = unsafe CRC32C.checksum(Array(bytes[..<cut]).span.bytes)
        unsafe XCTAssertEqual(CRC32C.checksum(Array(bytes[cut...]).span.bytes, seed: first), sum)
      }
    }
  }

  func test_recordIsReadAsItWasWritten_andNoOther() {
    let record = LogRecord(
      kind: .set, isContinued: true, number: -5, key: Array("key".utf8), value: Array(0...255))
    let header = LogHeader(salt: 7)
    var unsealed: [UInt8] = []
    LogRecord.write(
      record.kind, isContinued: true, number: -5, key: record.key, value: record.value,
      to: &unsealed)
    var buffer = IOBuffer(copying: unsealed)
    _ = LogChain(header).sealing(&buffer)
    let log = buffer.withSpan { span in span.indices.map { span[$0] } }
    guard case .record(let read, let frame) = unsafe LogRecord.read(log.span.bytes, header) else {
      return XCTFail("it was not read")
    }
    XCTAssertEqual(read, record)
    XCTAssertEqual(frame.byteCount, log.count)
    XCTAssertEqual(frame.previous, header.checksum)
    unsafe XCTAssertEqual(LogRecord.read(log.span.bytes, LogHeader(salt: 8)), .invalid)
    for count in 0..<log.count {
      guard
        case .incomplete(let wanted) = unsafe LogRecord.read(
          Array(log[..<count]).span.bytes, header)
      else { return XCTFail("\(count)") }
      XCTAssertGreaterThan(wanted, count)
    }
    for bit in 0..<log.count * 8 {
      var damaged = log
      damaged[bit / 8] ^= 1 << UInt8(bit % 8)
      if case .record = unsafe LogRecord.read(damaged.span.bytes, header) { XCTFail("bit \(bit)") }
    }
  }

  func test_patterns() {
    for (pattern, name, fits) in [
      ("*", "", true), ("*", "abc", true), ("a*c", "abc", true), ("a*c", "abd", false),
      ("a?c", "abc", true), ("a?c", "ac", false), ("[abc]", "b", true), ("[^abc]", "b", false),
      ("[a-c]x", "bx", true), ("[c-a]x", "bx", true), (#"\*"#, "*", true), (#"\*"#, "a", false),
      ("", "", true), ("", "a", false), ("a", "", false), ("[", "a", false), ("[a", "a", true),
      ("h[e\\]]llo", "h]llo", true), ("**a**", "bab", true), ("a*b*c", "aXbYbZc", true),
      ("\\", "\\", true), ("[]", "a", false), ("[^]", "a", true), ("?", "", false),
    ] {
      XCTAssertEqual(
        GlobPattern(Array(pattern.utf8)).matches(Array(name.utf8)), fits, "\(pattern) \(name)")
    }
    // No pattern takes for ever.
    let evil = GlobPattern(Array(String(repeating: "a*", count: 1000).utf8) + Array("b".utf8))
    XCTAssertFalse(evil.matches([UInt8](repeating: UInt8(ascii: "a"), count: 5000)))
  }

  func test_numbers() {
    for (text, number) in [
      ("0", 0), ("1", 1), ("-1", -1), ("9223372036854775807", .max),
      ("-9223372036854775808", .min), ("9223372036854775808", nil), ("-9223372036854775809", nil),
      ("", nil), ("-", nil), ("+1", nil), ("01", nil), ("-0", nil), (" 1", nil), ("1 ", nil),
      ("1a", nil), ("99999999999999999999", nil),
    ] as [(String, Int64?)] {
      XCTAssertEqual(Array(text.utf8).integer, number, text)
    }
  }

  // MARK: Two states of the database

  private func value(_ text: String) -> Value { Value(bytes: Array(text.utf8)) }

  func test_committedStateIsTheOld_untilTheBatchIsCommitted() {
    let database = Database()
    let key = Key([1])
    database.set(key, value("one"))
    XCTAssertEqual(database.durability, .pending)
    XCTAssertNil(database.read(key, .committed))
    database.beginBatch()
    database.set(key, value("two"))
    XCTAssertNil(database.read(key, .committed))
    XCTAssertEqual(database.read(key, .newest), value("two"))
    database.didCommit()
    XCTAssertEqual(database.read(key, .committed), value("one"))
    database.beginBatch()
    database.remove([key])
    XCTAssertEqual(database.read(key, .committed), value("one"))
    database.didCommit()
    XCTAssertEqual(database.read(key, .committed), value("two"))
    XCTAssertNil(database.read(key, .newest))
  }

  func test_revertedChangesHaveNeverBeen() {
    let seed = testSeed()
    var generator = SeededGenerator(seed: seed)
    for _ in 0..<200 {
      let database = Database()
      var committed: [Key: Value] = [:]
      var flying: [Key: Value] = [:]
      var newest: [Key: Value] = [:]
      for step in 0..<60 {
        let key = Key([UInt8.random(in: 0..<5, using: &generator)])
        switch Int.random(in: 0..<12, using: &generator) {
        case 0..<5:
          newest[key] = value("\(step)")
          database.set(key, value("\(step)"))
        case 5..<7 where newest[key] != nil:
          newest[key] = nil
          database.remove([key])
        case 7 where newest[key] != nil:
          newest[key]?.bytes.append(0)
          database.append([0], to: key)
        case 8 where generator.oneIn(3):
          newest = [:]
          database.removeAll()
        case 9:
          database.didCommit()
          committed = flying
          database.beginBatch()
          flying = newest
        case 10 where generator.oneIn(3):
          database.revert()
          flying = committed
          newest = committed
        default: break
        }
        for key in (0..<5).map({ Key([$0]) }) {
          XCTAssertEqual(database.read(key, .newest), newest[key], "seed \(seed)")
          XCTAssertEqual(database.read(key, .committed), committed[key], "seed \(seed)")
        }
        XCTAssertEqual(database.keyspace.count, newest.count)
      }
    }
  }
}
