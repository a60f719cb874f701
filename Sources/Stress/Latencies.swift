/// A histogram of the latencies of one kind of operation, with an error of at most 1/64.
///
/// The queue's own `DurationHistogram` is smaller: its error is up to 1/8, and it does not keep the
/// maximum.
struct Latencies {
  /// Each power of two of nanoseconds is divided into 2^5 buckets.
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

  /// The duration that the given fraction of operations did not exceed; nil if there were none.
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
