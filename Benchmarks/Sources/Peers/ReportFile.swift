internal import Foundation
internal import Measuring

/// What was found, in a file: each row on a line of its own, so that a comparison of two versions
/// shows which rows were measured anew.
enum ReportFile {
  /// Reads a report; nil if there is no such file.
  static func read(_ path: String) throws -> Report? {
    guard FileManager.default.fileExists(atPath: path) else { return nil }
    return try JSONDecoder().decode(Report.self, from: Data(contentsOf: URL(fileURLWithPath: path)))
  }

  static func write(_ report: Report, to path: String) throws {
    let encoder = JSONEncoder()
    encoder.outputFormatting = [.sortedKeys, .withoutEscapingSlashes]
    let machine = String(decoding: try encoder.encode(report.machine), as: UTF8.self)
    let settings = String(decoding: try encoder.encode(report.settings), as: UTF8.self)
    let rows = try report.rows.map { String(decoding: try encoder.encode($0), as: UTF8.self) }
    let text = """
      {"machine": \(machine),
      "settings": \(settings),
      "rows": [
      \(rows.joined(separator: ",\n"))
      ]}

      """
    try Data(text.utf8).write(to: URL(fileURLWithPath: path))
  }

  /// Replaces what stands behind the mark in a document, and the plots beside it.
  static func write(_ report: Report, intoDocument path: String) throws {
    let document = URL(fileURLWithPath: path)
    for plot in report.rows.compactMap(Plot.init(of:)) {
      let picture = document.deletingLastPathComponent().appendingPathComponent(plot.fileName)
      try Data(plot.svg.utf8).write(to: picture)
    }
    let former = (try? String(contentsOf: document, encoding: .utf8)) ?? ""
    let head = former.components(separatedBy: Markdown.mark)[0]
    try Data((head + Markdown.tables(report)).utf8).write(to: document)
  }
}

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
