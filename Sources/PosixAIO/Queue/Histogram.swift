/// How often durations of each size occurred, in nanoseconds.
///
/// Each power of two is divided in four, so a value is off by an eighth at the most.
public struct Histogram: Equatable, Sendable {
  private static let divisionBits = 2
  private static let bucketCount = 64 << divisionBits

  private var counts = [UInt64](repeating: 0, count: Self.bucketCount)

  private var totalNanoseconds: UInt64 = 0

  /// The number of durations.
  public private(set) var count: UInt64 = 0

  /// The sum of the durations, exact.
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

  /// How many durations did not exceed the given one, about: what the buckets of an exporter are
  /// filled with.
  ///
  /// - Parameter duration: The longest that counts; none is shorter than zero.
  public func count(upTo duration: Duration) -> UInt64 {
    guard duration >= .zero else { return 0 }
    return counts[...Self.bucket(duration.wholeNanoseconds)].reduce(0, +)
  }

  /// The duration that the given part of all did not exceed, about.
  ///
  /// - Parameter fraction: `0...1`: 0.5 for the median, 0.99 for the 99th percentile.
  /// - Returns: Zero when there was none.
  public func percentile(_ fraction: Double) -> Duration {
    require(fraction >= 0 && fraction <= 1, "Histogram: a fraction is within 0...1")
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
