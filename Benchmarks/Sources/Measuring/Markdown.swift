internal import Foundation

/// A report as the tables of docs/benchmarks.md.
public enum Markdown {
  /// The line behind which a document's tables stand; what is before it is kept.
  public static let mark = "<!-- from here on written by: peers --markdown -->"

  /// The tables, with what a reader has to know about the run.
  ///
  /// The plots are expected beside the document, under their file names.
  public static func tables(_ report: Report) -> String {
    var text = mark + "\n\n"
    text += machine(report)
    text += "\n## The floors\n\n" + floors(report)
    text += "\n## Growth\n"
    for row in report.rows where row.growth != nil { text += self.row(row) }
    text += "\n## Every other row\n"
    for row in report.rows where row.growth == nil { text += self.row(row) }
    return text
  }

  /// The lines between which the tables of a program's page stand.
  private static let begin = "<!-- from here on written by: programs --markdown -->"
  private static let end = "<!-- up to here -->"

  /// The tables of a program's page.
  public static func programs(_ report: Report) -> String {
    machine(report) + "\n" + floors(report) + report.rows.map { row($0) }.joined()
  }

  /// A page with other tables in it; they come behind everything where it has none.
  public static func replacing(_ tables: String, in page: String) -> String {
    let block = "\(begin)\n\n\(tables)\n\(end)"
    guard let start = page.range(of: begin),
      let stop = page.range(of: end, range: start.upperBound..<page.endIndex)
    else { return page + "\n" + block + "\n" }
    return page.replacingCharacters(in: start.lowerBound..<stop.upperBound, with: block)
  }

  private static func machine(_ report: Report) -> String {
    let machine = report.machine
    let versions = machine.versions.sorted { $0.key < $1.key }
      .map { "\($0.key) \($0.value)" }.joined(separator: ", ")
    return """
      Measured with \(report.settings.rounds) rounds of \(report.settings.seconds) s for each \
      contestant, on \(machine.processorCount) processors (\(machine.processor)), \
      \(machine.memory >> 30) GiB of memory, Linux \(machine.kernel), \(machine.fileSystem); \
      \(versions). The load of the machine was \(Table.ratio(machine.loadAtStart)) when the run \
      began.

      """
  }

  private static func floors(_ report: Report) -> String {
    var lines = [
      "| row | ours | against | ours | peer | ratio | spread | floor | |",
      "|---|---|---|--:|--:|--:|--:|--:|---|",
    ]
    for row in report.rows {
      for comparison in row.comparisons {
        guard let floor = comparison.floor, let isMet = comparison.isMet else { continue }
        let ratio = comparison.ratio
        let cells = [
          row.title, (comparison.isOfCost ? "cost of " : "") + comparison.ours,
          comparison.peer ?? "", median(comparison.ours, row) ?? "",
          comparison.peer.flatMap { median($0, row) } ?? "", Table.ratio(ratio.median),
          "\(Table.ratio(ratio.minimum))…\(Table.ratio(ratio.maximum))", floor.text,
          isMet ? "met" : "**not met**",
        ]
        lines.append("| " + cells.joined(separator: " | ") + " |")
      }
    }
    return lines.joined(separator: "\n") + "\n"
  }

  private static func median(_ name: String, _ row: RowResult) -> String? {
    row.contestants.first { $0.name == name }.map { Table.number($0.spread.median) }
  }

  private static func row(_ row: RowResult) -> String {
    var lines = [
      "", "### \(row.title)", "", "`\(row.name)`" + (row.note.map { ". \($0)" } ?? ""), "",
    ]
    if let plot = Plot(of: row) { lines += ["![\(row.title)](\(plot.fileName))", ""] }
    let growth = GrowthTable(of: row)
    lines += growth?.figures ?? figures(row)
    if let table = growth?.ratios, !table.isEmpty { lines += [""] + table }
    let ratios = growth?.otherRatios ?? row.comparisons.filter { $0.peer != nil }
    if !ratios.isEmpty {
      lines += ["", "| ratio | median | spread |", "|---|--:|--:|"]
      lines += ratios.map { comparison in
        "| \(comparison.names) | \(Table.ratio(comparison.ratio.median)) "
          + "| \(Table.ratio(comparison.ratio.minimum))…\(Table.ratio(comparison.ratio.maximum)) |"
      }
    }
    return lines.joined(separator: "\n") + "\n"
  }

  private static func figures(_ row: RowResult) -> [String] {
    [
      "| contestant | \(row.unit) | spread | µs of processor for each | failed |",
      "|---|--:|--:|--:|--:|",
    ]
      + row.contestants.map { contestant in
        let spread = contestant.spread
        return "| \(contestant.name) | \(Table.number(spread.median)) "
          + "| \(Table.number(spread.minimum))…\(Table.number(spread.maximum)) "
          + "| \(contestant.processorTime ?? "") | \(contestant.failedCount) |"
      }
  }
}
