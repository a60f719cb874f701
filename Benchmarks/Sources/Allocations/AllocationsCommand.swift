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
    abstract: "Counts heap allocations per request, and weighs requests that wait.")

  @Flag(help: "Print JSON for `peers` instead of a table.")
  var json = false

  @Flag(help: "Fail if a request takes more allocations than the checked-in number.")
  var check = false

  @Option(help: "How often to measure.")
  var rounds = 3

  @Option(help: "Where to put the files.")
  var directory = ".build/benchmarks"

  func run() throws {
    try FileManager.default.createDirectory(
      atPath: directory, withIntermediateDirectories: true)
    let path = FilePath(directory).appending("allocations")
    let rows = [
      try AllocationRow.measure(path, rounds: rounds), try MemoryRow.measure(rounds: rounds),
    ]
    if json {
      FileHandle.standardOutput.write(try JSONEncoder().encode(rows))
    } else {
      rows.forEach(Table.show)
    }
    guard check else { return }
    let violations = AllocationLimits.violations(in: rows[0])
    for violation in violations { print("error: \(violation)") }
    if !violations.isEmpty { throw ExitCode.failure }
  }
}
