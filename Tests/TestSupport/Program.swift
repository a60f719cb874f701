public import Foundation

/// A program of this package, run as its user would run it.
public enum Program {
  /// What a program left behind.
  public struct Outcome: Sendable {
    /// Its exit status, or the signal that ended it.
    public let status: Int32
    /// Its standard output.
    public let output: String
    /// Its standard error.
    public let errors: String
  }

  /// Where the build put it: beside the test bundle.
  public static func url(_ name: String) throws -> URL {
    URL(
      fileURLWithPath: try FileManager.default.destinationOfSymbolicLink(atPath: "/proc/self/exe")
    )
    .deletingLastPathComponent().appendingPathComponent(name)
  }

  /// Runs a program to its end, under the deadline of `timeout(1)`.
  public static func run(_ name: String, _ arguments: [String] = []) throws -> Outcome {
    let process = Process()
    process.executableURL = URL(fileURLWithPath: "/usr/bin/timeout")
    let seconds = "\(testDeadline.components.seconds)"
    process.arguments = ["--signal=KILL", seconds, try url(name).path] + arguments
    let output = Pipe()
    let errors = Pipe()
    process.standardOutput = output
    process.standardError = errors
    try process.run()
    let outputBytes = output.fileHandleForReading.readDataToEndOfFile()
    let errorBytes = errors.fileHandleForReading.readDataToEndOfFile()
    process.waitUntilExit()
    return Outcome(
      status: process.terminationStatus,
      output: String(decoding: outputBytes, as: UTF8.self),
      errors: String(decoding: errorBytes, as: UTF8.self))
  }
}
