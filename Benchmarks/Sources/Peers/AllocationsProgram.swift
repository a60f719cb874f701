internal import Foundation
internal import Measuring

/// The rows that `allocations` measures: a program of its own, beside this one.
enum AllocationsProgram {
  /// The rows' names, for `--only`.
  static let rowNames = ["allocations", "memory"]

  /// Runs it.
  ///
  /// - Returns: Nil if it was not built.
  static func rows(rounds: Int, directory: String) throws -> [RowResult]? {
    let program = URL(fileURLWithPath: "/proc/self/exe").resolvingSymlinksInPath()
      .deletingLastPathComponent().appendingPathComponent("allocations")
    guard FileManager.default.isExecutableFile(atPath: program.path) else { return nil }
    let output = Pipe()
    let process = Process()
    process.executableURL = program
    process.arguments = ["--json", "--rounds", "\(rounds)", "--directory", directory]
    process.standardOutput = output
    try process.run()
    let data = output.fileHandleForReading.readDataToEndOfFile()
    process.waitUntilExit()
    return try JSONDecoder().decode([RowResult].self, from: data)
  }
}
