internal import Measuring

extension Report {
  /// Whether rows of both can stand in one document.
  func isLike(_ other: Report) -> Bool {
    machine.isLike(other.machine) && settings == other.settings
  }

  /// Takes the rows of an earlier run that were not measured now.
  ///
  /// - Parameters:
  ///   - names: The rows that this program knows, in order; what else there is comes behind.
  ///   - isPart: Whether only some rows were to be measured.
  mutating func add(_ earlier: Report, inOrderOf names: [String], isPart: Bool) {
    let new = Set(rows.map(\.name))
    let kept = earlier.rows.filter {
      !new.contains($0.name) && (isPart || !names.contains($0.name))
    }
    guard !kept.isEmpty, isLike(earlier) else { return }
    machine.loadAtStart = max(machine.loadAtStart, earlier.machine.loadAtStart)
    let place = { (row: RowResult) in names.firstIndex(of: row.name) ?? names.count }
    rows = (rows + kept).enumerated().sorted {
      (place($0.element), $0.offset) < (place($1.element), $1.offset)
    }.map(\.element)
  }
}
