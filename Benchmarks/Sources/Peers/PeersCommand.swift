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

  @Option(help: "Measure only this row, or the rows of this kind: cached-32, or cached. May be repeated.")
  var only: [String] = []

  @Option(help: "Measure only the contestant of this name, as for a profile.")
  var contestant: String?

  @Option(help: "Write everything that was found to this file.")
  var json: String?

  @Option(help: "How long each contestant is measured in each round.")
  var seconds = 0.25

  @Option(help: "How many rounds to run.")
  var rounds = 5

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
    var report = Report(machine: try Machine(directory: FilePath(directory)), settings: settings, rows: [])
    let files = try WorkFiles(in: FilePath(directory))
    for row in Row.all(files) where isChosen(row) {
      let result = try row.run(settings, chosen: contestant)
      Table.show(result)
      report.rows.append(result)
    }
    if let json { try write(report, to: json) }
  }

  private func isChosen(_ row: Row) -> Bool {
    only.isEmpty || only.contains { $0 == row.name || row.name.hasPrefix($0 + "-") }
  }

  private func write(_ report: Report, to path: String) throws {
    let encoder = JSONEncoder()
    encoder.outputFormatting = [.prettyPrinted, .sortedKeys]
    var data = try encoder.encode(report)
    data.append(UInt8(ascii: "\n"))
    try data.write(to: URL(fileURLWithPath: path))
  }
}
