import ReactorHTTP
import TestSupport
import XCTest

@testable import FileServer

final class ConditionTests: XCTestCase {
  private let date = HTTPDate(secondsSinceEpoch: 784_111_777)
  private let earlier = "Sun, 06 Nov 1994 08:49:36 GMT"
  private let same = "Sun, 06 Nov 1994 08:49:37 GMT"
  private let later = "Sun, 06 Nov 1994 08:49:38 GMT"

  private var current: Conditions.Current { .init(tag: EntityTag("a"), modified: date) }

  func test_rangesAreReadAndJoined() {
    for (header, parts) in [
      ("bytes=0-0", [0..<1]), ("bytes=0-", [0..<10_000]), ("bytes=-1", [9_999..<10_000]),
      ("bytes=-20000", [0..<10_000]), ("bytes=9999-20000", [9_999..<10_000]),
      ("BYTES=5-9", [5..<10]), ("bytes= 5-9 ,\t, 1000-1001", [5..<10, 1000..<1002]),
      ("bytes=1000-1001,5-9", [1000..<1002, 5..<10]), ("bytes=0-9,5-14", [0..<15]),
      ("bytes=0-9,10-19", [0..<20]), ("bytes=0-9,138-140", [0..<141]),
      ("bytes=0-9,139-140", [0..<10, 139..<141]),
      ("bytes=0-0,5000-5000,0-4999", [0..<5001]), ("bytes=0-1,20000-", [0..<2]),
      ("bytes=0-99999999999999999999999", [0..<10_000]),
      ("bytes=-99999999999999999999999", [0..<10_000]),
    ] as [(String, [Range<Int64>])] {
      XCTAssertEqual(ByteRanges(header, byteCount: 10_000), .parts(parts), header)
    }
  }

  func test_rangesAreIgnored_whereTheyAreNone() {
    let many = "bytes=" + (0...ByteRanges.maximumCount).map { "\($0)-\($0)" }.joined(separator: ",")
    for header in [
      "", "bytes", "bytes=", "bytes=,", "bytes=-", "bytes=a-b", "bytes=2-1", "bytes=1-2,3",
      "items=0-1",
      "bytes=1-2-3", "bytes=+1-2", "bytes=1 -2", "bytes=0x1-2", "bytes=0-1;2-3", "=0-1", many,
    ] {
      XCTAssertEqual(ByteRanges(header, byteCount: 10_000), .whole, header)
    }
    XCTAssertEqual(ByteRanges(nil, byteCount: 1), .whole)
    XCTAssertEqual(ByteRanges("bytes=0-", byteCount: 0), .whole)
    XCTAssertEqual(ByteRanges("bytes=-1", byteCount: 0), .whole)
  }

  func test_rangesAreUnsatisfiable_whereTheFileHasNothingOfThem() {
    for (header, byteCount) in [
      ("bytes=10-", 10), ("bytes=10-10,20-", 10), ("bytes=-0", 10),
      ("bytes=99999999999999999999999-", 10),
    ] as [(String, Int64)] {
      XCTAssertEqual(ByteRanges(header, byteCount: byteCount), .unsatisfiable, header)
    }
  }

  func test_entityTagsAreRead_asFarAsTheyAreSome() {
    let (a, weak, comma) = (EntityTag("a"), EntityTag("b", isWeak: true), EntityTag("c, d"))
    for (header, tags) in [
      ("*", .any), (" * ", .any), ("\"a\"", .list([a])),
      ("\"a\", W/\"b\",\"c, d\"", .list([a, weak, comma])),
      (",, \"a\"\t,", .list([a])), ("a", .list([])), ("\"a", .list([])),
      ("\"a\", b, \"c\"", .list([a])),
      ("", .list([])), ("\"\"", .list([EntityTag("")])), ("w/\"a\"", .list([])),
    ] as [(String, EntityTags)] {
      XCTAssertEqual(EntityTags(header), tags, header)
    }
  }

  func test_conditionsAreLookedAt_inTheirOrder() {
    let cases: [(HeaderFields, reading: Conditions.Outcome, writing: Conditions.Outcome)] = [
      ([:], .proceed, .proceed),
      (["If-Match": "\"a\""], .proceed, .proceed),
      (["If-Match": "*"], .proceed, .proceed),
      (["If-Match": "W/\"a\""], .preconditionFailed, .preconditionFailed),
      (["If-Match": "\"b\""], .preconditionFailed, .preconditionFailed),
      (["If-Match": "rubbish"], .preconditionFailed, .preconditionFailed),
      (["If-Match": "\"a\"", "If-Unmodified-Since": earlier], .proceed, .proceed),
      (["If-Unmodified-Since": earlier], .preconditionFailed, .preconditionFailed),
      (["If-Unmodified-Since": same], .proceed, .proceed),
      (["If-Unmodified-Since": "yesterday"], .proceed, .proceed),
      (["If-None-Match": "\"a\""], .notModified, .preconditionFailed),
      (["If-None-Match": "W/\"a\""], .notModified, .preconditionFailed),
      (["If-None-Match": "\"b\", \"a\""], .notModified, .preconditionFailed),
      (["If-None-Match": "*"], .notModified, .preconditionFailed),
      (["If-None-Match": "\"b\"", "If-Modified-Since": later], .proceed, .proceed),
      (["If-Modified-Since": same], .notModified, .proceed),
      (["If-Modified-Since": later], .notModified, .proceed),
      (["If-Modified-Since": earlier], .proceed, .proceed),
      (["If-Modified-Since": "never"], .proceed, .proceed),
      (["If-Match": "\"a\"", "If-None-Match": "\"a\""], .notModified, .preconditionFailed),
      (["If-Unmodified-Since": same, "If-Modified-Since": same], .notModified, .proceed),
    ]
    for (headers, reading, writing) in cases {
      let conditions = Conditions(headers)
      XCTAssertEqual(conditions.outcome(current, isReading: true), reading, "\(headers)")
      XCTAssertEqual(conditions.outcome(current, isReading: false), writing, "\(headers)")
    }
  }

  func test_conditionsOnWhatIsNotThere() {
    func outcome(_ headers: HeaderFields) -> Conditions.Outcome {
      Conditions(headers).outcome(nil, isReading: false)
    }
    XCTAssertEqual(outcome(["If-Match": "*"]), .preconditionFailed)
    XCTAssertEqual(outcome(["If-Unmodified-Since": same]), .preconditionFailed)
    XCTAssertEqual(outcome(["If-None-Match": "*"]), .proceed)
  }

  func test_linesOfOneHeaderAreOneList() {
    var headers = HeaderFields()
    headers.add("If-None-Match", "\"b\"")
    headers.add("if-none-match", "\"a\"")
    XCTAssertEqual(Conditions(headers).outcome(current, isReading: true), .notModified)
  }

  func test_rangeCounts_forJustThisVersion() {
    let now = HTTPDate(secondsSinceEpoch: date.secondsSinceEpoch + 1)
    for (header, counts) in [
      (nil, true), ("\"a\"", true), ("W/\"a\"", false), ("\"b\"", false), ("*", false),
      (same, true),
      (earlier, false), (later, false), ("rubbish", false), ("", false), ("\"a\", \"b\"", false),
    ] as [(String?, Bool)] {
      var headers = HeaderFields()
      headers["If-Range"] = header
      XCTAssertEqual(
        Conditions(headers).allowRange(of: current, now: now), counts, header ?? "none")
    }
    // The file may still change within this second.
    XCTAssertFalse(Conditions(["If-Range": same]).allowRange(of: current, now: date))
  }

  func test_gzipIsPreferred_byItsWeight() {
    for (header, isPreferred) in [
      ("gzip", true), ("x-gzip", true), ("GZIP;Q=1", true), ("br, gzip;q=0.001", true), ("*", true),
      ("deflate, *;q=0.5", true), ("gzip;q=0", false), ("gzip;q=0.000", false), ("", false),
      ("identity", false), ("br", false), ("gzip;q=0.5, identity;q=0.6", false),
      ("gzip;q=0.5, identity;q=0.5", true), ("gzip;q=0, *", false), ("gzip;q=0.5, *;q=1", false),
      ("identity;q=0, gzip;q=0.1", true), ("gzip;q=1.001", false), ("gzip;q=2", false),
      ("gzip;q=", false), ("gzip;q=0.1234", false), ("gzip;q=x", false), ("gzip;level=1", false),
      ("gzip ; q=1.0", true), ("gzip;q=-1", false), ("gzip;", false),
    ] {
      XCTAssertEqual(AcceptedEncodings(header).preferred.contains(.gzip), isPreferred, header)
    }
    XCTAssertEqual(AcceptedEncodings(nil).preferred, [])
  }

  func test_codingsArePreferred_byTheirWeightAndThenTheirSize() {
    for (header, codings) in [
      ("gzip, deflate, br, zstd", [.brotli, .zstandard, .gzip]),
      ("gzip, br;q=0.9", [.gzip, .brotli]),
      ("*", [.brotli, .zstandard, .gzip]), ("*, br;q=0", [.zstandard, .gzip]),
      ("zstd", [.zstandard]),
      ("br;q=0.5, identity;q=0.6, gzip", [.gzip]), ("br;q=0", []), ("", []),
    ] as [(String, [ContentCoding])] {
      XCTAssertEqual(AcceptedEncodings(header).preferred, codings, header)
    }
  }

  func test_nothingThatAClientSendsIsTooOdd() {
    let seed = testSeed()
    var random = SeededGenerator(seed: seed)
    let pieces = [
      "bytes", "=", "-", ",", " ", "\t", ";", "q=", "0", "1", "9223372036854775807",
      "99999999999999999999",
      "\"", "W/", "*", "gzip", "identity", ".", "a", "\u{FFFD}", "\u{301}", "Sun", "Nov", "06",
      "1994", ":",
      "GMT", "08:49:37", "\0", "500-999",
    ]
    for _ in 0..<100_000 {
      let count = Int.random(in: 0..<12, using: &random)
      let start = random.oneIn(2) ? "bytes=" : ""
      let text = (0..<count).reduce(into: start) { text, _ in
        text += pieces[Int.random(in: 0..<pieces.count, using: &random)]
      }
      let byteCount = Int64.random(in: 0...(random.oneIn(2) ? 10 : .max), using: &random)
      if case .parts(let parts) = ByteRanges(text, byteCount: byteCount) {
        let isSound =
          !parts.isEmpty && parts.count <= ByteRanges.maximumCount
          && parts.allSatisfy { !$0.isEmpty && $0.lowerBound >= 0 && $0.upperBound <= byteCount }
          && parts.reduce(0) { $0 + Int64($1.count) } <= byteCount
        XCTAssertTrue(isSound, "seed \(seed): \(text) of \(byteCount): \(parts)")
      }
      let conditions = Conditions([
        "If-Match": text, "If-None-Match": text, "If-Range": text, "If-Modified-Since": text,
      ])
      _ = conditions.outcome(current, isReading: true)
      _ = conditions.allowRange(of: current, now: .now)
      _ = AcceptedEncodings(text).preferred
      _ = HTTPDate(text)
    }
  }
}
