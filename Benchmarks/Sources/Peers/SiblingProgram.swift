internal import Foundation
internal import Measuring

/// A program of this package that measures in a process of its own, and stands beside this one.
enum SiblingProgram {
  /// Runs it.
  ///
  /// - Returns: What it printed, decoded from JSON; nil if it was not built.
  static func run<Output: Decodable>(_ name: String, _ arguments: [String]) throws -> Output? {
    let program = URL(fileURLWithPath: "/proc/self/exe").resolvingSymlinksInPath()
      .deletingLastPathComponent().appendingPathComponent(name)
    guard FileManager.default.isExecutableFile(atPath: program.path) else { return nil }
    let output = Pipe()
    let process = Process()
    process.executableURL = program
    process.arguments = arguments
    process.standardOutput = output
    try process.run()
    let data = output.fileHandleForReading.readDataToEndOfFile()
    process.waitUntilExit()
    guard process.terminationStatus == 0 else {
      throw Failure(description: "\(name) ended with status \(process.terminationStatus)")
    }
    return try JSONDecoder().decode(Output.self, from: data)
  }

  struct Failure: Error, CustomStringConvertible {
    let description: String
  }
}

/// A program that measures rows by itself, and takes `--json`, `--rounds` and `--directory`.
struct RowProgram {
  static let all = [
    RowProgram(name: "allocations", rowNames: ["allocations", "responses", "memory"])
  ]

  private static let mostRounds = 3

  /// Of the program.
  let name: String
  /// What it measures, for `--only`.
  let rowNames: [String]

  /// Runs it. Nil if it was not built.
  func rows(rounds: Int, directory: String) throws -> [RowResult]? {
    try SiblingProgram.run(
      name, ["--json", "--rounds", "\(min(rounds, Self.mostRounds))", "--directory", directory])
  }
}
