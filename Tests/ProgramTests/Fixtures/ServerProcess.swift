import Foundation
import Glibc
import SystemPackage
import TestSupport

/// A running server, killed when the last reference to this is released.
final class ServerProcess {
  /// The line that the server printed when it began to accept clients.
  private(set) var firstLine = ""
  private(set) var port: UInt16 = 0

  private let process = Process()
  private let output = Pipe()
  private var outputBytes: [UInt8] = []

  /// Starts the program and waits for its line.
  ///
  /// - Parameters:
  ///   - program: The server's name.
  ///   - launcher: A command before the path of the program, which it eventually executes.
  ///   - errors: The destination of its standard error.
  init(
    _ program: String = "aio-fileserver", launcher: [String] = [], arguments: [String],
    errors: FileHandle
  ) throws {
    let command = launcher + [try Program.url(program).path] + arguments
    process.executableURL = URL(fileURLWithPath: command[0])
    process.arguments = Array(command.dropFirst())
    process.standardInput = FileHandle.nullDevice
    process.standardOutput = output
    process.standardError = errors
    try process.run()
    let end = ContinuousClock.now + testDeadline
    while !outputBytes.contains(UInt8(ascii: "\n")) {
      guard try readOutput(until: end) else {
        throw Failure("the server ended without a line")
      }
    }
    firstLine = String(decoding: outputBytes, as: UTF8.self)
    let digits = firstLine.dropLast().reversed().prefix { $0.isNumber }.reversed()
    port = UInt16(String(digits)) ?? 0
  }

  deinit {
    if process.isRunning { send(SIGKILL) }
    process.waitUntilExit()
  }

  var identifier: pid_t { process.processIdentifier }

  func send(_ signal: Int32) {
    kill(identifier, signal)
  }

  /// Kills it, as in a crash, and waits until it has ended.
  func kill9() {
    send(SIGKILL)
    process.waitUntilExit()
  }

  /// Waits for the end of the process.
  ///
  /// - Returns: Its exit status, and all of its standard output.
  func waitForEnd() throws -> (status: Int32, output: String) {
    let end = ContinuousClock.now + testDeadline
    // No other process holds the write end, so the pipe ends with the process.
    while try readOutput(until: end) {}
    process.waitUntilExit()
    guard process.terminationReason == .exit else {
      throw Failure("ended by signal \(process.terminationStatus)")
    }
    return (process.terminationStatus, String(decoding: outputBytes, as: UTF8.self))
  }

  /// Waits for more of standard output; false at its end.
  private func readOutput(until end: ContinuousClock.Instant) throws -> Bool {
    let descriptor = output.fileHandleForReading.fileDescriptor
    var polled = pollfd(fd: descriptor, events: Int16(POLLIN), revents: 0)
    let milliseconds = Int32(max(.zero, end - .now).components.seconds * 1000)
    guard unsafe poll(&polled, 1, milliseconds) == 1 else {
      throw Failure("the deadline passed before the server wrote or ended")
    }
    var bytes = [UInt8](repeating: 0, count: 4096)
    let count = unsafe read(descriptor, &bytes, bytes.count)
    guard count > 0 else { return false }
    outputBytes += bytes[..<count]
    return true
  }

  // MARK: Kernel state

  /// The targets of its descriptors: paths, "socket:[…]", "anon_inode:[…]".
  func descriptors() throws -> [String] {
    let folder = "/proc/\(identifier)/fd"
    return try FileManager.default.contentsOfDirectory(atPath: folder).compactMap {
      // A descriptor that was closed in between has no target.
      try? FileManager.default.destinationOfSymbolicLink(atPath: "\(folder)/\($0)")
    }
  }

  /// Its peak resident memory, in bytes.
  func peakResidentByteCount() throws -> Int {
    let status = try String(contentsOfFile: "/proc/\(identifier)/status", encoding: .utf8)
    let line = status.split(separator: "\n").first { $0.hasPrefix("VmHWM:") }
    let kibibytes = line?.split(whereSeparator: { !$0.isNumber }).first.flatMap { Int($0) }
    guard let kibibytes else { throw Errno.noSuchFileOrDirectory }
    return kibibytes * 1024
  }
}
