internal import ArgumentParser
internal import Foundation
internal import Measuring
internal import SystemPackage

/// `allocations`: counts allocations per request, and measures the memory of requests. A program of
/// its own, because it stands in for libc's heap.
@main
struct AllocationsCommand: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "allocations",
    abstract: "Counts heap allocations per request and per HTTP response, and weighs requests.")

  @Flag(help: "Print JSON for `peers` instead of a table.")
  var json = false

  @Flag(help: "Fail if a request takes more allocations than the checked-in number.")
  var check = false

  @Option(help: "How often to measure.")
  var rounds = 3

  @Option(help: "Where to put the files.")
  var directory = ".build/benchmarks"

  @Option(help: "Where aio-fileserver is: what `swift build -c release` has built.")
  var programs = ".build/release"

  func run() throws {
    try FileManager.default.createDirectory(
      atPath: directory, withIntermediateDirectories: true)
    let path = FilePath(directory).appending("allocations")
    let counts = [try AllocationRow.measure(path, rounds: rounds)] + (try responses())
    let rows = counts + [try MemoryRow.measure(rounds: rounds)]
    if json {
      FileHandle.standardOutput.write(try JSONEncoder().encode(rows))
    } else {
      rows.forEach(Table.show)
    }
    guard check else { return }
    let violations = counts.flatMap(AllocationLimits.violations)
    for violation in violations { print("error: \(violation)") }
    if !violations.isEmpty { throw ExitCode.failure }
  }

  /// Left out where the servers were not built, unless they are to be checked.
  private func responses() throws -> [RowResult] {
    let row = ResponseRow(
      programs: URL(fileURLWithPath: programs), folder: URL(fileURLWithPath: directory))
    do {
      return [try row.measure(rounds: rounds)]
    } catch let failure as CountedServer.Failure where !check {
      FileHandle.standardError.write(Data("responses: left out: \(failure)\n".utf8))
      return []
    }
  }
}
