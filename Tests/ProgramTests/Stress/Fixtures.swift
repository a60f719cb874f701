import Foundation
import Glibc
import SystemPackage
import TestSupport
import XCTest

/// A running `aio-stress`, killed when the last reference to this goes.
final class StressProcess {
  private let process = Process()
  private let output = Pipe()
  private let directory: TemporaryDirectory

  /// Between two calls of what is done until the end.
  private static let pauseMilliseconds: Int32 = 20

  /// What a run left behind.
  struct Outcome {
    let status: Int32
    let output: String
    let errors: String
  }

  /// - Parameters:
  ///   - launcher: A command in front of the program's path, which in the end becomes the program.
  ///   - directory: Where it runs, and where its output goes.
  init(
    launcher: [String] = [], _ arguments: [String], in directory: TemporaryDirectory
  ) throws {
    self.directory = directory
    let command = launcher + [try Program.url("aio-stress").path] + arguments
    process.executableURL = URL(fileURLWithPath: command[0])
    process.arguments = Array(command.dropFirst())
    process.currentDirectoryURL = URL(fileURLWithPath: directory.path.string)
    process.standardInput = FileHandle.nullDevice
    process.standardOutput = output
    process.standardError = try handle("errors")
    try process.run()
  }

  deinit {
    if isRunning { send(SIGKILL) }
    process.waitUntilExit()
  }

  var isRunning: Bool { process.isRunning }

  func send(_ signal: Int32) {
    kill(process.processIdentifier, signal)
  }

  /// Waits for the end of the process.
  ///
  /// - Parameter meanwhile: Done again and again until then.
  func waitForEnd(_ meanwhile: () throws -> Void = {}) throws -> Outcome {
    // No other process holds the other end, so the pipe ends with the process; and it holds a
    // report.
    let descriptor = output.fileHandleForReading.fileDescriptor
    try repeatUntil("aio-stress ended") {
      try meanwhile()
      var polled = pollfd(fd: descriptor, events: 0, revents: 0)
      return unsafe poll(&polled, 1, Self.pauseMilliseconds) == 1
    }
    process.waitUntilExit()
    guard process.terminationReason == .exit else {
      throw Failure("ended by signal \(process.terminationStatus)")
    }
    return Outcome(
      status: process.terminationStatus,
      output: String(decoding: output.fileHandleForReading.readDataToEndOfFile(), as: UTF8.self),
      errors: String(decoding: try directory.contents(of: "errors"), as: UTF8.self))
  }

  private func handle(_ name: String) throws -> FileHandle {
    FileHandle(
      fileDescriptor: try directory.open(name, options: [.create, .truncate]).rawValue,
      closeOnDealloc: true)
  }
}

/// Tests that run `aio-stress` in a directory of their own.
class StressTestCase: XCTestCase {
  private(set) var directory: TemporaryDirectory!

  override func setUpWithError() throws {
    directory = try TemporaryDirectory()
  }

  override func tearDown() {
    directory = nil
  }

  /// A load that takes a moment, of a file that is called "file".
  static let small = ["--file", "file", "--size", "256K", "--seed", "7"]

  /// Of that file: the heading, and the blocks.
  static let smallByteCount = headingByteCount + 256 * 1024
  static let headingByteCount = 4096

  func run(
    _ arguments: String..., launcher: [String] = []
  ) throws -> StressProcess.Outcome {
    try run(arguments, launcher: launcher)
  }

  func run(_ arguments: [String], launcher: [String] = []) throws -> StressProcess.Outcome {
    try StressProcess(launcher: launcher, Self.small + arguments, in: directory).waitForEnd()
  }

  func exists(_ name: String) -> Bool {
    FileManager.default.fileExists(atPath: directory.path.appending(name).string)
  }

  /// Whether "file" is filled, and the load begins or has begun.
  func isWhole() throws -> Bool {
    guard exists("file") else { return false }
    return try directory.contents(of: "file").count == Self.smallByteCount
  }

  func waitUntilWhole() throws {
    try repeatUntil("the file was filled", isWhole)
  }

  /// The JSON object that a run has printed.
  func object(_ outcome: StressProcess.Outcome) throws -> [String: Any] {
    let object = try JSONSerialization.jsonObject(with: Data(outcome.output.utf8))
    return try XCTUnwrap(object as? [String: Any], outcome.output)
  }

  /// Checks that there was no load, for a reason in one line.
  func assertRefused(
    _ outcome: StressProcess.Outcome, status: Int32 = 1, naming name: String,
    file: StaticString = #filePath, line: UInt = #line
  ) {
    XCTAssertEqual(outcome.status, status, "\(outcome)", file: file, line: line)
    XCTAssertEqual(outcome.output, "", file: file, line: line)
    // The log's lines begin with the time.
    let lines = outcome.errors.split(separator: "\n").filter { $0.first?.isNumber == false }
    XCTAssertEqual(lines.count, 1, outcome.errors, file: file, line: line)
    XCTAssertTrue(
      lines.first?.hasPrefix("aio-stress: ") ?? false, outcome.errors, file: file, line: line)
    XCTAssertTrue(lines.first?.contains(name) ?? false, outcome.errors, file: file, line: line)
  }
}
