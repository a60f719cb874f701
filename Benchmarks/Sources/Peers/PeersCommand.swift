internal import ArgumentParser
internal import Foundation
internal import Measuring
internal import SystemPackage

/// `peers`: runs the benchmarks.
@main
struct PeersCommand: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "peers",
    abstract: "Measures this package beside io_uring, libuv and the kernel's plain calls.",
    discussion: """
      Contestants do the same work on the same file, in turn, in several rounds. Ratios are taken \
      within each round; what is shown is their median and their spread.
      """)

  @Option(help: "Measure only this row or kind of row: cached-32, or cached. May be repeated.")
  var only: [String] = []

  @Option(help: "Measure only the contestant of this name, as for a profile.")
  var contestant: String?

  @Option(help: "Write everything that was found to this file.")
  var json: String?

  @Option(help: "Write the tables into this document, and the plots beside it.")
  var markdown: String?

  @Option(help: "How long each contestant is measured in each round.")
  var seconds = 0.25

  @Option(help: "How many rounds to run.")
  var rounds = 7

  @Option(help: "Where to put the files, on a file system that takes O_DIRECT; 600 MB.")
  var directory = ".build/benchmarks"

  func validate() throws {
    guard seconds > 0, rounds > 0 else {
      throw ValidationError("There is nothing to measure in no time or in no rounds.")
    }
  }

  func run() throws {
    try FileManager.default.createDirectory(
      atPath: directory, withIntermediateDirectories: true)
    let settings = Report.Settings(seconds: seconds, rounds: rounds)
    var report = Report(
      machine: try Machine(directory: FilePath(directory)), settings: settings, rows: [])
    try measure(into: &report)
    if let json { try report.write(to: json) }
    if let markdown { try write(report, into: markdown) }
  }

  private func measure(into report: inout Report) throws {
    let files = try WorkFiles(in: FilePath(directory))
    for row in Rows.all(files) where row.isChosen(only) {
      guard !row.isDirect || WorkFile.takesDirectIO(files.direct) else {
        print("\n\(row.name): left out, since this file system does not take O_DIRECT")
        continue
      }
      let result = try row.run(report.settings, chosen: contestant)
      Table.show(result)
      report.rows.append(result)
    }
    guard contestant == nil, AllocationsProgram.rowNames.contains(where: isChosen) else { return }
    guard let rows = try AllocationsProgram.rows(rounds: min(rounds, 3), directory: directory)
    else {
      return print("\nallocations: left out; `swift build -c release` builds the program for it")
    }
    for row in rows where isChosen(row.name) {
      Table.show(row)
      report.rows.append(row)
    }
  }

  private func isChosen(_ name: String) -> Bool {
    only.isEmpty || only.contains { $0 == name || name.hasPrefix($0 + "-") }
  }

  /// Replaces what stands behind the mark in the document.
  private func write(_ report: Report, into path: String) throws {
    let document = URL(fileURLWithPath: path)
    let plots = Plot.all(of: report)
    for plot in plots {
      let picture = document.deletingLastPathComponent()
        .appendingPathComponent("benchmarks-" + plot.fileName)
      try Data(plot.svg.utf8).write(to: picture)
    }
    let former = (try? String(contentsOf: document, encoding: .utf8)) ?? ""
    let head = former.components(separatedBy: Markdown.mark)[0]
    let tables = Markdown.tables(
      report, plots: plots.map { ($0.title, "benchmarks-" + $0.fileName) })
    try Data((head + tables).utf8).write(to: document)
  }
}
