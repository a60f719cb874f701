/// The tables of a row in which something grows: a line for each position, a column for each
/// engine.
struct GrowthTable {
  private let row: RowResult
  private let growth: String
  private var positions: [Int] = []
  private var lines: [String] = []

  /// Nil if nothing grows in the row.
  init?(of row: RowResult) {
    guard let growth = row.growth else { return nil }
    (self.row, self.growth) = (row, growth)
    for point in row.contestants.compactMap(\.point) {
      if !lines.contains(point.line) { lines.append(point.line) }
      if !positions.contains(point.position) { positions.append(point.position) }
    }
    positions.sort()
  }

  /// The figures, in Markdown.
  var figures: [String] {
    matrix(lines) { name, position in
      row.contestants.first { $0.point?.line == name && $0.point?.position == position }
        .map { Table.spread($0.spread, Table.number) }
    }
  }

  /// The ratios between engines at the same position, in Markdown.
  var ratios: [String] {
    let compared = row.comparisons.compactMap { comparison in
      place(of: comparison).map { (name: $0.name, $0.position, comparison.ratio) }
    }
    var names: [String] = []
    for entry in compared where !names.contains(entry.name) { names.append(entry.name) }
    guard !names.isEmpty else { return [] }
    return matrix(names) { name, position in
      compared.first { $0.name == name && $0.1 == position }
        .map { Table.spread($0.2, Table.ratio) }
    }
  }

  /// The ratios that stand in no such table.
  var otherRatios: [Comparison] {
    row.comparisons.filter { $0.peer != nil && place(of: $0) == nil }
  }

  /// Nil if the two stand at different positions.
  private func place(of comparison: Comparison) -> (name: String, position: Int)? {
    guard let ours = point(comparison.ours), let peer = comparison.peer.flatMap(point),
      ours.position == peer.position
    else { return nil }
    return (ours.line + " / " + peer.line, ours.position)
  }

  private func point(_ name: String) -> PlotPoint? {
    row.contestants.first { $0.name == name }?.point
  }

  private func matrix(_ columns: [String], _ cell: (String, Int) -> String?) -> [String] {
    [
      "| \(growth) | " + columns.joined(separator: " | ") + " |",
      "|--:|" + String(repeating: "--:|", count: columns.count),
    ]
      + positions.map { position in
        let cells = columns.map { cell($0, position) ?? "" }
        return "| \(Table.count(position)) | " + cells.joined(separator: " | ") + " |"
      }
  }
}
