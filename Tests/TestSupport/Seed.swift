import Glibc

/// Random numbers that a seed repeats: SplitMix64.
public struct SeededGenerator: RandomNumberGenerator {
  private var state: UInt64

  /// - Parameter seed: The same one gives the same numbers.
  public init(seed: UInt64) {
    state = seed
  }

  /// The next number.
  public mutating func next() -> UInt64 {
    state &+= 0x9E37_79B9_7F4A_7C15
    var mixed = state
    mixed = (mixed ^ (mixed >> 30)) &* 0xBF58_476D_1CE4_E5B9
    mixed = (mixed ^ (mixed >> 27)) &* 0x94D0_49BB_1331_11EB
    return mixed ^ (mixed >> 31)
  }

  /// Returns true with a probability of 1 in `count`.
  public mutating func oneIn(_ count: Int) -> Bool { Int.random(in: 0..<count, using: &self) == 0 }
}

/// The seed of this run: `AIO_TEST_SEED`, or another one each time. Messages of failures name it.
public func testSeed() -> UInt64 {
  if let text = unsafe getenv("AIO_TEST_SEED"), let seed = UInt64(unsafe String(cString: text)) {
    return seed
  }
  return .random(in: 0..<1_000_000_000)
}
