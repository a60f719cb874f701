/// A histogram of durations with a resolution of about an eighth.
///
/// It counts nanoseconds in buckets, four for each power of two.
public struct DurationHistogram: Equatable, Sendable {
  private static let divisionBits = 2
  private static let bucketCount = 64 << divisionBits

  private var counts = [UInt64](repeating: 0, count: Self.bucketCount)

  private var totalNanoseconds: UInt64 = 0

  /// The number of durations.
  public private(set) var count: UInt64 = 0

  /// The exact sum of the durations.
  public var sum: Duration { .nanoseconds(Int64(clamping: totalNanoseconds)) }

  package init() {}

  package mutating func record(_ duration: Duration) {
    record(duration.wholeNanoseconds)
  }

  mutating func record(_ nanoseconds: UInt64) {
    counts[Self.bucket(nanoseconds)] += 1
    totalNanoseconds &+= nanoseconds
    count += 1
  }

  /// Estimates how many durations did not exceed a given one, as for the buckets of a metrics
  /// exporter.
  ///
  /// - Parameter duration: The longest duration to count. None is counted if it is negative.
  public func count(upTo duration: Duration) -> UInt64 {
    guard duration >= .zero else { return 0 }
    return counts[...Self.bucket(duration.wholeNanoseconds)].reduce(0, +)
  }

  /// Estimates the duration that a given fraction of all did not exceed. Traps if the fraction is
  /// not within `0...1`.
  ///
  /// - Parameter fraction: 0.5 for the median, 0.99 for the 99th percentile.
  /// - Returns: Zero if there are no durations.
  public func percentile(_ fraction: Double) -> Duration {
    require(
      fraction >= 0 && fraction <= 1, "DurationHistogram: a fraction must be within 0...1")
    let wanted = UInt64((Double(count) * fraction).rounded(.up))
    var seen: UInt64 = 0
    for bucket in counts.indices where counts[bucket] > 0 {
      seen += counts[bucket]
      if seen >= wanted { return .nanoseconds(Int64(clamping: Self.middle(bucket))) }
    }
    return .zero
  }

  private static func bucket(_ value: UInt64) -> Int {
    guard value >= 1 << divisionBits else { return Int(value) }
    let exponent = 63 - value.leadingZeroBitCount
    let division = Int(value >> (exponent - divisionBits)) & (1 << divisionBits - 1)
    return exponent << divisionBits + division
  }

  private static func middle(_ bucket: Int) -> UInt64 {
    guard bucket >= divisionBits << divisionBits else { return UInt64(bucket) }
    let exponent = bucket >> divisionBits
    let width = UInt64(1) << (exponent - divisionBits)
    let start = UInt64(1) << exponent + UInt64(bucket & (1 << divisionBits - 1)) * width
    return start + width / 2
  }
}
