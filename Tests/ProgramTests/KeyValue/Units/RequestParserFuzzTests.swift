import Foundation
import TestSupport
import XCTest

@testable import KeyValueServer

/// Whatever bytes a client sends, and however they are cut, the parser gives the same, takes no
/// more than there is, keeps no more than its limits say, and is silent after an error.
///
/// A million cases: `FUZZ_CASES=1000000 swift test --filter RequestParserFuzzTests`;
/// `AIO_TEST_SEED` repeats a run.
final class RequestParserFuzzTests: XCTestCase {
  private let caseCount = fuzzCaseCount(default: 50_000)

  /// Small enough for a case to reach them.
  private static let limits: RequestParser.Limits = {
    var limits = RequestParser.Limits()
    limits.bulkByteCount = 20
    limits.requestByteCount = 40
    limits.lineByteCount = 64
    limits.argumentCount = 12
    return limits
  }()

  private struct Outcome: Equatable {
    var requests: [[[UInt8]]] = []
    var error: String?
  }

  private struct Broken: Error {
    let what: String
  }

  /// - Parameter piece: The size of the next piece.
  private func parse(
    _ bytes: [UInt8], limits: RequestParser.Limits = limits, piece: () -> Int
  ) throws -> Outcome {
    var parser = RequestParser(limits: limits)
    var outcome = Outcome()
    var start = 0
    while start < bytes.count {
      let end = start + min(bytes.count - start, max(1, piece()))
      try feed(Array(bytes[start..<end]), to: &parser, &outcome)
      start = end
      try check(parser.heldByteCount <= start, "keeps more than it was given")
      // Of an argument the two bytes of its line end, too.
      try check(
        parser.heldByteCount <= limits.requestByteCount + limits.lineByteCount + 2,
        "keeps more than its limits say")
    }
    return outcome
  }

  private func feed(
    _ piece: [UInt8], to parser: inout RequestParser, _ outcome: inout Outcome
  ) throws {
    var offset = 0
    do {
      while true {
        let before = offset
        guard let request = try unsafe parser.next(in: piece.span.bytes, at: &offset) else { break }
        try check(outcome.error == nil, "goes on after an error")
        try check(offset > before && offset <= piece.count, "takes what is not there")
        try check(!request.isEmpty, "gives a request of no words")
        outcome.requests.append(request)
      }
      try check(offset == piece.count, "leaves bytes behind")
    } catch let error as RequestParser.ProtocolError {
      try check(offset <= piece.count, "takes what is not there")
      try check(outcome.error == nil || outcome.error == error.reason, "changes its error")
      try check(parser.heldByteCount == 0, "keeps bytes after an error")
      outcome.error = error.reason
    }
  }

  private func check(_ holds: Bool, _ what: String) throws {
    if !holds { throw Broken(what: what) }
  }

  /// Parses whole, byte by byte and in random pieces.
  private func checkAllCuts(
    _ bytes: [UInt8], limits: RequestParser.Limits = limits,
    _ generator: inout SeededGenerator
  ) throws -> Outcome {
    let whole = try parse(bytes, limits: limits) { .max }
    let single = try parse(bytes, limits: limits) { 1 }
    let cut = try parse(bytes, limits: limits) { Int.random(in: 1...7, using: &generator) }
    try check(whole == single && whole == cut, "depends on how the bytes are cut")
    return whole
  }

  private func corpus() throws -> [(name: String, bytes: [UInt8])] {
    let directory = URL(fileURLWithPath: #filePath).deletingLastPathComponent()
      .deletingLastPathComponent().appendingPathComponent("Corpus")
    return try FileManager.default.contentsOfDirectory(atPath: directory.path).sorted().map {
      ($0, Array(try Data(contentsOf: directory.appendingPathComponent($0))))
    }
  }

  func test_corpusIsTakenApartTheSameWay_howeverItIsCut() throws {
    var generator = SeededGenerator(seed: testSeed())
    let corpus = try corpus()
    XCTAssertGreaterThan(corpus.count, 30)
    for (name, bytes) in corpus {
      for limits in [Self.limits, RequestParser.Limits()] {
        do {
          _ = try checkAllCuts(bytes, limits: limits, &generator)
        } catch let broken as Broken {
          XCTFail("\(name): the parser \(broken.what)")
        }
      }
    }
  }

  func test_noBytesAreASurprise() throws {
    let seed = testSeed()
    var generator = SeededGenerator(seed: seed)
    let corpus = try corpus().map(\.bytes)
    for index in 0..<caseCount {
      let bytes = mutated(corpus, &generator)
      do {
        _ = try checkAllCuts(bytes, &generator)
      } catch let broken as Broken {
        return XCTFail("case \(index) of seed \(seed): the parser \(broken.what): \(bytes)")
      }
    }
  }

  func test_requestsComeOutAsTheyWentIn() throws {
    let seed = testSeed()
    var generator = SeededGenerator(seed: seed)
    for index in 0..<caseCount / 10 {
      var outcome = Outcome()
      for _ in 0..<Int.random(in: 1...4, using: &generator) {
        outcome.requests.append(
          (0..<Int.random(in: 1...4, using: &generator)).map { _ in
            randomBytes(upTo: 10, &generator)
          })
      }
      let bytes = outcome.requests.flatMap { RedisClient.request($0) }
      let parsed = try checkAllCuts(bytes, &generator)
      guard parsed == outcome else {
        return XCTFail("case \(index) of seed \(seed): \(outcome) became \(parsed)")
      }
    }
  }

  // MARK: - Cases

  private static let tokens: [[UInt8]] =
    [
      "*", "$", "\r\n", "\n", "\r", "*1\r\n", "*2\r\n", "$3\r\nGET\r\n", "$1\r\na\r\n",
      "$0\r\n\r\n", "-1", "0", "9223372036854775807", "-9223372036854775808",
      "99999999999999999999", "\"", "'",
      "\\x", "\\", " ", "PING\r\n", "*12\r\n", "*13\r\n", "$20\r\n", "$21\r\n", "\0",
    ].map { Array($0.utf8) }

  /// One of the corpus or nothing, with a few changes.
  private func mutated(_ corpus: [[UInt8]], _ generator: inout SeededGenerator) -> [UInt8] {
    var bytes = generator.oneIn(3) ? [] : corpus.randomElement(using: &generator) ?? []
    for _ in 0..<Int.random(in: 1...10, using: &generator) {
      let place = Int.random(in: 0...bytes.count, using: &generator)
      let end = min(bytes.count, place + Int.random(in: 0...8, using: &generator))
      switch Int.random(in: 0..<7, using: &generator) {
      case 0: bytes[place..<end] = []
      case 1: bytes.insert(contentsOf: bytes[place..<end], at: place)
      case 2: bytes.insert(contentsOf: randomBytes(upTo: 6, &generator), at: place)
      case 3 where place < bytes.count:
        bytes[place] ^= 1 << UInt8.random(in: 0..<8, using: &generator)
      case 4:
        let other = corpus.randomElement(using: &generator) ?? []
        bytes[place...] = other[min(place, other.count)...]
      default:
        let token = Self.tokens.randomElement(using: &generator) ?? []
        bytes.insert(contentsOf: token, at: generator.oneIn(2) ? bytes.count : place)
      }
    }
    return Array(bytes.prefix(400))
  }

  private func randomBytes(upTo limit: Int, _ generator: inout SeededGenerator) -> [UInt8] {
    (0..<Int.random(in: 0...limit, using: &generator)).map { _ in
      .random(in: 0...255, using: &generator)
    }
  }
}
