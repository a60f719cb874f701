/// How figures of several rounds lie: others use the machine too, so one figure says little.
public struct Spread: Codable, Sendable {
  /// The middle one.
  public let median: Double
  /// The smallest.
  public let minimum: Double
  /// The largest.
  public let maximum: Double

  /// Sums up figures, at least one.
  public init(of figures: [Double]) {
    precondition(!figures.isEmpty, "Spread: there is at least one figure")
    let sorted = figures.sorted()
    let middle = sorted.count / 2
    median = sorted.count % 2 == 1 ? sorted[middle] : (sorted[middle - 1] + sorted[middle]) / 2
    minimum = sorted[0]
    maximum = sorted[sorted.count - 1]
  }
}
