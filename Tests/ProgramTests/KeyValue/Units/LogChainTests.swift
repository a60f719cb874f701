import PosixAIO
import ProgramSupport
import Reactor
import TestSupport
import XCTest

@testable import KeyValueServer

/// Logs in which every record is valid, but not where it is; and logs of format 1.
final class LogChainTests: XCTestCase {
  private func header(_ log: [UInt8]) throws -> LogHeader {
    try XCTUnwrap(unsafe LogHeader(log.span.bytes))
  }

  /// The ranges of the records, and of whole batches: a batch begins with a note.
  private func parts(_ log: [UInt8]) throws -> (records: [Range<Int>], batches: [Range<Int>]) {
    let header = try header(log)
    var records: [Range<Int>] = []
    var batchStarts: [Int] = []
    var offset = LogHeader.byteCount
    while case .record(let record, let frame) = unsafe LogRecord.read(
      Array(log[offset...]).span.bytes, header)
    {
      if record.kind == .synced || records.isEmpty { batchStarts.append(offset) }
      records.append(offset..<offset + frame.byteCount)
      offset += frame.byteCount
    }
    XCTAssertEqual(offset, log.count)
    let batches = zip(batchStarts, batchStarts.dropFirst() + [log.count]).map { $0..<$1 }
    return (records, batches)
  }

  private func assertDamaged(_ log: [UInt8], on loop: EventLoop, _ message: String) throws {
    do {
      try OpenLog(log, on: loop).close()
      XCTFail(message)
    } catch let failure as StartFailure {
      XCTAssertTrue("\(failure)".contains("is damaged"), "\(failure)")
    }
  }

  func test_missingDoubledAndExchangedPartsAreFound() throws {
    let loop = try EventLoop()
    let site = try OpenLog(on: loop)
    // The same length, so that an exchange leaves the offsets as they are.
    for number in 0..<4 { try site.set("key", "\(number)") }
    for number in 4..<6 {
      site.log.database.set(Key([1]), Value(bytes: [UInt8(number)]))
    }
    try site.set("other", "longer")
    let log = try site.records()
    let parts = try parts(log)
    XCTAssertGreaterThan(parts.batches.count, 4)
    for parts in [parts.records, parts.batches] {
      for (index, part) in parts.enumerated() {
        var doubled = log
        doubled.insert(contentsOf: log[part], at: part.upperBound)
        try assertDamaged(doubled, on: loop, "doubled \(index)")
        // Without its last part, a log is one that was never longer.
        guard index < parts.count - 1 else { continue }
        var missing = log
        missing.removeSubrange(part)
        try assertDamaged(missing, on: loop, "missing \(index)")
        for (otherIndex, other) in parts.enumerated().dropFirst(index + 1) {
          let exchanged =
            log[..<part.lowerBound] + log[other] + log[part.upperBound..<other.lowerBound]
            + log[part] + log[other.upperBound...]
          try assertDamaged(Array(exchanged), on: loop, "exchanged \(index) and \(otherIndex)")
        }
      }
    }
    try site.close()
  }

  func test_recordsOfAnotherLogAreNotAdded() throws {
    let loop = try EventLoop()
    let (site, other) = (try OpenLog(on: loop), try OpenLog(on: loop))
    try site.set("key", "1")
    try other.set("key", "2")
    let mixed = try site.records() + other.records().dropFirst(LogHeader.byteCount)
    let next = try OpenLog(mixed, on: loop)
    XCTAssertEqual(next["key"], "1")
    for site in [site, other, next] { try site.close() }
  }

  /// A torn end of 2 MiB, with bytes that look like the start of records of 1 MiB, or of notes.
  func test_startReadsATornEndOnce_whateverItLooksLike() throws {
    let loop = try EventLoop()
    let site = try OpenLog(on: loop)
    try site.set("key", "1")
    let whole = try site.records()
    var pattern = [UInt8](repeating: 0, count: LogRecord.headerByteCount + 13)
    pattern[2] = 0x10
    pattern[LogRecord.headerByteCount] = LogRecord.Kind.set.rawValue
    let note: [UInt8] = [13, 0, 0, 0, 1, 2, 3, 4, 5, 6, 7, 8, LogRecord.Kind.synced.rawValue]
    for unit in [pattern, note + [UInt8](repeating: 0, count: 12), [13]] {
      let torn = Array(repeatElement(unit, count: 2 * 1024 * 1024 / unit.count).joined())
      let next = try OpenLog(whole + torn, on: loop)
      XCTAssertEqual(next["key"], "1")
      XCTAssertEqual(Int(next.log.end), whole.count)
      try next.close()
    }
    try site.close()
  }

  // MARK: Format 1

  private let oldHeader = LogHeader(format: .separate, salt: 77)

  private func oldRecord(
    _ kind: LogRecord.Kind, number: Int64 = Moment.never.milliseconds, _ key: String = "",
    _ value: String = ""
  ) -> [UInt8] {
    var log: [UInt8] = []
    LogRecord.write(
      kind, number: number, key: Array(key.utf8), value: Array(value.utf8), to: &log)
    // The checksum of the record before is what format 1 does not have.
    log.removeSubrange(8..<12)
    let checksum = unsafe oldHeader.checksum(ofRecord: log.span.bytes)
    for index in 0..<4 { log[4 + index] = UInt8(truncatingIfNeeded: checksum >> (8 * index)) }
    return log
  }

  func test_logOfFormat1IsRead_cutAnywhere() throws {
    let loop = try EventLoop()
    let first = oldHeader.bytes + oldRecord(.set, "a", "1")
    let note = first + oldRecord(.synced, number: Int64(first.count))
    let log = note + oldRecord(.append, "a", "2") + oldRecord(.set, "b", "3")
    for end in note.count...log.count {
      let site = try OpenLog(log[..<end], on: loop)
      XCTAssertEqual(site["a"], end >= log.count - 23 ? "12" : "1", "\(end)")
      XCTAssertEqual(site["b"], end == log.count ? "3" : nil, "\(end)")
      XCTAssertEqual(site.log.chain.header, oldHeader)
    }
    var damaged = log
    damaged[first.count - 1] ^= 1
    try assertDamaged(damaged, on: loop, "a damaged record of format 1")
  }

  func test_serverConvertsALogOfFormat1() throws {
    let site = try KeyValueSite()
    try site.end()
    try site.setLog(
      oldHeader.bytes + oldRecord(.set, "a", "1") + oldRecord(.append, "a", "2"))
    try site.start()
    XCTAssertEqual(try site.client().ask("GET", "a"), "12")
    XCTAssertEqual(try header(try site.log()).format, .chained)
    XCTAssertEqual(try site.client().ask("APPEND", "a", "3"), 3)
    try site.crash()
    XCTAssertEqual(try site.client().ask("GET", "a"), "123")
    XCTAssertEqual(try site.names().count { $0.hasSuffix(".rewrite") }, 0)
  }
}
