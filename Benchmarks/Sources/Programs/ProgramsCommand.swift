internal import ArgumentParser
internal import Foundation
internal import Measuring
internal import SystemPackage

/// `programs`: measures the programs of the package beside others of their kind.
@main
struct ProgramsCommand: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "programs",
    abstract: "Measures aio-fileserver and aio-kv beside nginx, evhttp and redis-server.",
    discussion: """
      Each server runs on loopback and gets the same load, in turn, in several rounds, by wrk and \
      redis-benchmark. A row whose servers or load generators are not installed is left out.
      """)

  @Option(help: "Measure only this row or kind of row: files-4k, or kv. May be repeated.")
  var only: [String] = []

  @Option(help: "How many rounds to run.")
  var rounds = 7

  @Option(help: "How long each server is measured in each round; wrk takes whole seconds.")
  var seconds = 1.0

  @Option(help: "Write everything that was found to this file.")
  var json: String?

  @Flag(help: "Write the tables into the programs' pages.")
  var markdown = false

  @Option(help: "The folder of those pages.")
  var docs = "docs"

  @Option(help: "Where the programs are: what `swift build -c release` has built.")
  var programs = ".build/release"

  @Option(
    help: "Where to put files, on the disk that is to be measured: 70 MB, and 9 GB for uploads.")
  var directory = ".build/benchmarks/programs"

  func validate() throws {
    guard seconds > 0, rounds > 0 else {
      throw ValidationError("There is nothing to measure in no time or in no rounds.")
    }
  }

  func run() throws {
    let folder = URL(fileURLWithPath: directory)
    let root = folder.appendingPathComponent("root")
    try FileRows.makeFiles(in: root)
    // The programs' folders of the last run.
    let runs = folder.appendingPathComponent("runs")
    try? FileManager.default.removeItem(at: runs)
    let peers = Peers(programs: URL(fileURLWithPath: programs), root: root)
    let pages = [
      (
        "aio-fileserver.md",
        FileRows(peers: peers, folder: runs).all + BareRows(peers: peers, folder: runs).all
          + [UploadMemory(peers: peers, folder: runs).row]
      ),
      ("aio-kv.md", KeyValueRows(peers: peers, folder: runs).all),
    ]
    var all = try report(rows: [])
    for (page, rows) in pages {
      let results = try measure(rows)
      all.rows += results
      guard markdown, !results.isEmpty else { continue }
      let path = URL(fileURLWithPath: docs).appendingPathComponent(page)
      let text = try String(contentsOf: path, encoding: .utf8)
      let tables = Markdown.programs(try report(rows: results))
      try Data(Markdown.replacing(tables, in: text).utf8).write(to: path)
    }
    if let json { try all.write(to: json) }
  }

  private func report(rows: [RowResult]) throws -> Report {
    Report(
      machine: try Machine(directory: FilePath(directory)),
      settings: .init(seconds: seconds, rounds: rounds), rows: rows)
  }

  private func measure(_ rows: [ProgramRow]) throws -> [RowResult] {
    var results: [RowResult] = []
    for row in rows where row.isChosen(only) {
      do {
        let result = try row.run(.init(seconds: seconds, rounds: rounds), chosen: nil)
        Table.show(result)
        results.append(result)
      } catch let missing as Missing {
        print("\n\(row.name): left out: \(missing)")
      }
    }
    return results
  }
}
