internal import Glibc

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
    let between = (sorted[(sorted.count - 1) / 2] + sorted[middle]) / 2
    median = between.withFiguresThatCount
    minimum = sorted[0].withFiguresThatCount
    maximum = sorted[sorted.count - 1].withFiguresThatCount
  }
}

extension Double {
  private static let figuresThatCount = 5.0

  /// Rounded: what is behind the fifth figure is noise, and would fill the files.
  var withFiguresThatCount: Double {
    guard self != 0, isFinite else { return self }
    let scale = pow(10, Self.figuresThatCount - 1 - floor(log10(abs(self))))
    return (self * scale).rounded() / scale
  }
}
