import Foundation
import TestSupport

/// A system command, run to check whether it works here.
enum Command {
  static func serverPath() throws -> String { try Program.url("aio-fileserver").path }

  /// - Returns: The exit status; the output of the command is discarded.
  static func run(_ command: [String]) throws -> Int32 {
    let process = Process()
    process.executableURL = URL(fileURLWithPath: "/usr/bin/timeout")
    process.arguments = ["--signal=KILL", "\(testDeadline.components.seconds)"] + command
    process.standardInput = FileHandle.nullDevice
    process.standardOutput = FileHandle.nullDevice
    process.standardError = FileHandle.nullDevice
    try process.run()
    process.waitUntilExit()
    return process.terminationStatus
  }
}
