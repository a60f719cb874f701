internal import Foundation

/// What is printed while the benchmarks run.
public enum Table {
  /// Prints a row's figures and ratios.
  public static func show(_ row: RowResult) {
    print("\n\(row.name): \(row.title) (\(row.unit))")
    for contestant in row.contestants {
      let spread = contestant.spread
      let failures = contestant.failedCount > 0 ? "  \(contestant.failedCount) FAILED" : ""
      print(
        "  \(contestant.name.padded(30)) \(number(spread.median).padded(12, left: true))"
          + "   \(number(spread.minimum)) … \(number(spread.maximum))"
          + (contestant.processorTime.map { "   \($0) µs of processor each" } ?? "") + failures)
    }
    for comparison in row.comparisons {
      print(
        "  \(comparison.names.padded(50)) \(ratio(comparison.ratio.median).padded(7, left: true))"
          + "   \(ratio(comparison.ratio.minimum)) … \(ratio(comparison.ratio.maximum))"
          + verdict(comparison))
    }
  }

  /// A number with a separator between thousands.
  public static func number(_ value: Double) -> String {
    // What rounds to nothing is nothing, and not minus nothing.
    guard abs(value) >= 0.005 else { return "0" }
    guard value >= 1000 else { return String(format: value < 10 ? "%.2f" : "%.0f", value) }
    return count(Int(value.rounded()))
  }

  /// A whole number with a separator between thousands.
  public static func count(_ value: Int) -> String {
    var digits = Array(String(value))
    var position = digits.count - 3
    while position > 0 {
      digits.insert(",", at: position)
      position -= 3
    }
    return String(digits)
  }

  /// A ratio with two or three figures that count.
  public static func ratio(_ value: Double) -> String {
    guard abs(value) >= 0.0005 else { return "0" }
    return value >= 1000 ? number(value) : String(format: value < 0.1 ? "%.3f" : "%.2f", value)
  }

  /// A median, with the least and the most in brackets.
  static func spread(_ spread: Spread, _ text: (Double) -> String) -> String {
    "\(text(spread.median)) (\(text(spread.minimum))…\(text(spread.maximum)))"
  }

  /// A length in a picture.
  static func tenth(_ value: Double) -> String {
    String(format: "%.1f", value)
  }

  private static func verdict(_ comparison: Comparison) -> String {
    guard let floor = comparison.floor, let isMet = comparison.isMet else { return "" }
    return "   \(floor.text): \(isMet ? "met" : "NOT MET")"
  }
}

extension ContestantResult {
  /// The processor time for one request in microseconds, the median; nil where there is none.
  var processorTime: String? {
    guard !processorMicroseconds.isEmpty else { return nil }
    return Table.ratio(Spread(of: processorMicroseconds).median)
  }
}

extension Floor {
  /// In words.
  public var text: String {
    switch self {
    case .atLeast(let bound): "at least \(Table.ratio(bound))"
    case .atMost(let bound): "at most \(Table.ratio(bound))"
    }
  }
}

extension String {
  fileprivate func padded(_ width: Int, left: Bool = false) -> String {
    let padding = String(repeating: " ", count: max(0, width - count))
    return left ? padding + self : self + padding
  }
}
