/// Compares a run with an earlier one: ratios, since figures move with the machine.
public enum Check {
  /// Something that got worse.
  public struct Finding {
    /// The row that it is about.
    public let row: String
    /// Which of the row's comparisons.
    public let names: String
    /// What happened to it, in words.
    public let reason: String
  }

  /// What moves from run to run beside the spread within one: where the linker and the allocator
  /// happened to put things.
  private static let leastTolerance = 0.05

  /// What got worse.
  ///
  /// A floor is lost if the earlier run met it and this one does not. A ratio is worse if it moved
  /// in the wrong direction by more than half the spread of the earlier run and half the spread of
  /// this one together, and 5 %. With five rounds each, that is three standard deviations of what
  /// chance does to the difference of the two medians.
  public static func findings(of row: RowResult, since earlier: RowResult) -> [Finding] {
    row.comparisons.compactMap { comparison in
      guard let former = earlier.comparisons.first(where: { $0.names == comparison.names })
      else { return nil }
      let reason =
        lostFloor(comparison, since: former)
        ?? worseRatio(comparison, since: former, isLessBetter: row.isLessBetter(comparison))
      return reason.map { Finding(row: row.name, names: comparison.names, reason: $0) }
    }
  }

  private static func lostFloor(_ comparison: Comparison, since former: Comparison) -> String? {
    guard let floor = comparison.floor, !floor.isMet(by: comparison.ratio.median),
      floor.isMet(by: former.ratio.median)
    else { return nil }
    return "\(Table.ratio(comparison.ratio.median)), was \(Table.ratio(former.ratio.median)), "
      + "has to be \(floor.text)"
  }

  private static func worseRatio(
    _ comparison: Comparison, since former: Comparison, isLessBetter: Bool
  ) -> String? {
    // Counts of bytes and allocations have floors; zero has no ratio to anything.
    guard comparison.peer != nil else { return nil }
    let (now, then) = (comparison.ratio, former.ratio)
    let tolerance =
      (then.maximum - then.minimum + now.maximum - now.minimum) / 2
      + leastTolerance * then.median
    let loss = isLessBetter ? now.median - then.median : then.median - now.median
    guard loss > tolerance else { return nil }
    return "\(Table.ratio(now.median)), was \(Table.ratio(then.median)); "
      + "\(Table.ratio(tolerance)) would be chance"
  }
}

extension RowResult {
  /// Whether a smaller ratio is the better one.
  fileprivate func isLessBetter(_ comparison: Comparison) -> Bool {
    switch comparison.floor {
    case .atLeast: false
    case .atMost: true
    case nil: comparison.isOfCost || !unit.hasSuffix("/s")
    }
  }
}
