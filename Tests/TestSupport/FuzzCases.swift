internal import Glibc

/// The number of cases of a fuzz test: `FUZZ_CASES`, or by default as many as take a few seconds.
public func fuzzCaseCount(default usual: Int) -> Int {
  if let text = unsafe getenv("FUZZ_CASES"), let count = Int(unsafe String(cString: text)) {
    return count
  }
  return usual
}

/// Makes texts that are nearly right: pieces of a corpus, cut, joined and spoiled.
public struct TextFuzzer {
  private let corpus: [[UInt8]]
  private var random: SeededGenerator

  /// - Parameters:
  ///   - corpus: One text or more, none of which need be valid.
  ///   - seed: The same one gives the same texts.
  public init(_ corpus: [String], seed: UInt64) {
    self.corpus = corpus.map { Array($0.utf8) }
    random = SeededGenerator(seed: seed)
  }

  /// The next text. What is not UTF-8 in it has become replacement characters, as in a request.
  public mutating func next() -> String { String(decoding: nextBytes(), as: UTF8.self) }

  /// The next text as bytes.
  public mutating func nextBytes() -> [UInt8] {
    var bytes = piece()
    // As often a text of the corpus itself as one with several changes.
    for _ in 0..<Int.random(in: 0...4, using: &random) { change(&bytes) }
    return bytes
  }

  /// A number within a range.
  public mutating func number(in range: ClosedRange<Int64>) -> Int64 {
    Int64.random(in: range, using: &random)
  }

  private mutating func piece() -> [UInt8] {
    corpus[Int.random(in: corpus.indices, using: &random)]
  }

  private mutating func change(_ bytes: inout [UInt8]) {
    let place = Int.random(in: 0...bytes.count, using: &random)
    switch Int.random(in: 0..<5, using: &random) {
    case 0: bytes.insert(UInt8.random(in: 0 ... .max, using: &random), at: place)
    case 1: bytes.insert(contentsOf: piece(), at: place)
    case 2: bytes.removeSubrange(place..<min(bytes.count, place + 3))
    case 3 where place < bytes.count: bytes[place] ^= 1 << UInt8.random(in: 0..<8, using: &random)
    default: bytes += bytes[place...].prefix(64)
    }
  }
}
