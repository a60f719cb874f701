internal import Measuring

/// The most heap allocations that a request may take, checked in: whoever makes it better lowers
/// the number, and whoever makes it worse has to say so here.
enum AllocationLimits {
  /// Growth of tables, spread over all requests.
  private static let margin = 0.05

  static let cachedRead = margin
  /// What goes to glibc alone takes one there: the list of whom to tell at its end.
  static let loneWrite = 1 + margin
  /// Merged and grouped, some ten of them share one.
  static let groupedWrite = 0.2
  static let sync = 1 + margin
  /// There and back, both ends together.
  static let echo = margin
  /// Of a file that is open already.
  static let fileResponse = 5 + margin
  static let bareResponse = 7 + margin

  /// What is over its limit, each in a sentence with both numbers.
  static func violations(in row: RowResult) -> [String] {
    row.comparisons.compactMap { comparison in
      guard comparison.isMet == false, case .atMost(let limit)? = comparison.floor else {
        return nil
      }
      let found = Table.number(comparison.ratio.median)
      return "\(comparison.ours): \(found) allocations, and the checked-in limit is \(limit)"
    }
  }
}
