internal import Foundation

extension Report {
  /// Reads a report.
  ///
  /// - Returns: Nil if there is no such file.
  public static func read(from path: String) throws -> Report? {
    guard FileManager.default.fileExists(atPath: path) else { return nil }
    return try JSONDecoder().decode(Report.self, from: Data(contentsOf: URL(fileURLWithPath: path)))
  }

  /// Writes everything to a file, as JSON: each row on a line of its own, so that a comparison of
  /// two versions shows which rows were measured anew.
  public func write(to path: String) throws {
    let encoder = JSONEncoder()
    encoder.outputFormatting = [.sortedKeys, .withoutEscapingSlashes]
    let machine = String(decoding: try encoder.encode(machine), as: UTF8.self)
    let settings = String(decoding: try encoder.encode(settings), as: UTF8.self)
    let rows = try rows.map { String(decoding: try encoder.encode($0), as: UTF8.self) }
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
  public func write(intoDocument path: String) throws {
    let document = URL(fileURLWithPath: path)
    for plot in rows.compactMap(Plot.init(of:)) {
      let picture = document.deletingLastPathComponent().appendingPathComponent(plot.fileName)
      try Data(plot.svg.utf8).write(to: picture)
    }
    let former = (try? String(contentsOf: document, encoding: .utf8)) ?? ""
    let head = former.components(separatedBy: Markdown.mark)[0]
    try Data((head + Markdown.tables(self)).utf8).write(to: document)
  }
}
