internal import ArgumentParser
internal import Foundation
internal import Measuring
internal import SystemPackage

/// `peers`: runs the benchmarks.
@main
struct PeersCommand: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "peers",
    abstract: "Measures this package beside io_uring, libuv, SwiftNIO and bare system calls.",
    discussion: """
      Contestants do the same work on the same file, in turn, in several rounds. Ratios are taken \
      within each round; what is shown is their median and their spread.
      """)

  @Option(help: "Measure only this row or kind of row: cached-32, or cached. May be repeated.")
  var only: [String] = []

  @Option(help: "Measure only the contestant of this name, as for a profile.")
  var contestant: String?

  @Option(
    help: "Write what was found to this file. With --only, the rows that are there already stay.")
  var json: String?

  @Option(help: "Write the tables into this document, and the plots beside it.")
  var markdown: String?

  @Option(
    help: """
      Compare the ratios with those in this file. What is worse than chance explains is measured \
      once more; if it stays so, it is listed, and the exit status is 1.
      """)
  var check: String?

  @Flag(help: "Measure nothing; write the document from what the file of --json has.")
  var render = false

  @Option(help: "How long each contestant is measured in each round.")
  var seconds = 0.15

  @Option(help: "How many rounds to run.")
  var rounds = 5

  @Option(help: "Where to put the files, on a file system that takes O_DIRECT; 600 MB.")
  var directory = ".build/benchmarks"

  func validate() throws {
    guard seconds > 0, rounds > 0 else {
      throw ValidationError("There is nothing to measure in no time or in no rounds.")
    }
    guard !render || json != nil else {
      throw ValidationError("--render needs --json: the file to read.")
    }
    guard contestant == nil || (json == nil && markdown == nil && check == nil) else {
      throw ValidationError("One contestant alone is compared with nobody, and not written down.")
    }
  }

  func run() throws {
    guard !render else {
      let report = try existing(json, for: "--render")
      if let markdown { try report.write(intoDocument: markdown) }
      return
    }
    let former = try check.map { try existing($0, for: "--check") }
    try FileManager.default.createDirectory(
      atPath: directory, withIntermediateDirectories: true)
    var session = MeasuringSession(
      settings: Report.Settings(seconds: seconds, rounds: rounds), only: only,
      contestant: contestant, former: former)
    let report = try measure(&session)
    if let json { try report.write(to: json) }
    if let markdown { try report.write(intoDocument: markdown) }
    if former != nil { try tell(session) }
  }

  private func existing(_ path: String?, for option: String) throws -> Report {
    guard let report = try path.flatMap(Report.read) else {
      throw ValidationError("\(option): there is no file \(path ?? "").")
    }
    return report
  }

  /// Measures, and adds what the file of `--json` has.
  private func measure(_ session: inout MeasuringSession) throws -> Report {
    var report = Report(
      machine: try Machine(directory: FilePath(directory)), settings: session.settings, rows: [])
    let earlier = try json.flatMap(Report.read)
    if let earlier, !only.isEmpty, !report.isLike(earlier) {
      throw ValidationError(
        "--json: what is there was measured on another machine or in other rounds; "
          + "a part cannot join it.")
    }
    report.rows = try session.run(in: directory)
    guard !report.rows.isEmpty else {
      throw ValidationError("--only: there is no such row, or its program was not built.")
    }
    if let earlier { report.add(earlier, inOrderOf: session.names, isPart: !only.isEmpty) }
    return report
  }

  private func tell(_ session: MeasuringSession) throws {
    let count = session.comparedCount
    guard count > 0 else { throw ValidationError("--check: the file has none of these rows.") }
    guard !session.findings.isEmpty else {
      return print("\nNone of \(count) rows is worse than chance explains.")
    }
    print("\nWorse, in both of two measurements, of \(count) rows:")
    for finding in session.findings {
      print("  \(finding.row): \(finding.names): \(finding.reason)")
    }
    throw ExitCode.failure
  }
}
