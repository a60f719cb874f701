/// How long the operations of one kind took, in buckets that are off by a 64th at the most.
///
/// The queue's own `DurationHistogram` is made to be small: its values are off by an eighth, and it
/// does not know its longest.
struct Latencies {
  /// Each power of two of nanoseconds is divided in 2^5.
  private static let divisionBits = 5

  private var counts = [Int](repeating: 0, count: 64 << Self.divisionBits)
  private(set) var count = 0
  private(set) var maximum = Duration.zero

  mutating func record(_ duration: Duration) {
    let (seconds, attoseconds) = duration.components
    counts[Self.bucket(UInt64(max(0, seconds * 1_000_000_000 + attoseconds / 1_000_000_000)))] += 1
    count += 1
    maximum = max(maximum, duration)
  }

  /// The duration that the given part of all did not exceed; nil when there was none.
  ///
  /// - Parameter fraction: `0...1`.
  func percentile(_ fraction: Double) -> Duration? {
    guard count > 0 else { return nil }
    let wanted = max(1, Int((Double(count) * fraction).rounded(.up)))
    var seen = 0
    for bucket in counts.indices {
      seen += counts[bucket]
      if seen >= wanted { return min(maximum, .nanoseconds(Self.middle(bucket))) }
    }
    return maximum
  }

  private static func bucket(_ value: UInt64) -> Int {
    guard value >= 1 << divisionBits else { return Int(value) }
    let exponent = 63 - value.leadingZeroBitCount
    let division = Int(value >> UInt64(exponent - divisionBits)) & (1 << divisionBits - 1)
    return (exponent - divisionBits + 1) << divisionBits + division
  }

  private static func middle(_ bucket: Int) -> Int {
    guard bucket >= 1 << divisionBits else { return bucket }
    let shift = bucket >> divisionBits - 1
    let start = (1 << divisionBits + bucket & (1 << divisionBits - 1)) << shift
    return start + (1 << shift) / 2
  }
}
