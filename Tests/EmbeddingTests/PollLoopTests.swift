import Foundation
import SystemPackage
import TestSupport
import XCTest

/// Snippets/PollLoop.swift: the completion queue in a loop of poll(2).
final class PollLoopTests: XCTestCase {
  func test_pollLoopPrintsTheFilesThatItIsTold_untilItsInputEnds() throws {
    let folder = try TemporaryDirectory()
    for number in 0..<200 { try folder.write("file \(number)\n".utf8, to: "\(number)") }
    let paths = (0..<200).map { folder.path.appending("\($0)").string }
    let missing = folder.path.appending("missing").string
    let output = try run(paths + [missing])
    let lines = output.split(separator: "\n").map(String.init)
    let errors = lines.filter { $0.hasPrefix(missing) }
    XCTAssertEqual(errors, ["\(missing): No such file or directory"])
    // In any order: the queue answers what the page cache has first.
    XCTAssertEqual(
      lines.filter { $0.hasPrefix("file ") }.sorted(), (0..<200).map { "file \($0)" }.sorted())
    XCTAssertEqual(lines.count, 201)
  }

  /// - Returns: What the program printed, from its start to its end.
  private func run(_ lines: [String]) throws -> String {
    let (process, input, output) = (Process(), Pipe(), Pipe())
    process.executableURL = URL(fileURLWithPath: "/usr/bin/timeout")
    let seconds = "\(testDeadline.components.seconds)"
    process.arguments = ["--signal=KILL", seconds, try Program.url("PollLoop").path]
    process.standardInput = input
    process.standardOutput = output
    try process.run()
    try input.fileHandleForWriting.write(contentsOf: Data(lines.map { $0 + "\n" }.joined().utf8))
    try input.fileHandleForWriting.close()
    let bytes = output.fileHandleForReading.readDataToEndOfFile()
    process.waitUntilExit()
    XCTAssertEqual(process.terminationStatus, 0)
    return String(decoding: bytes, as: UTF8.self)
  }
}
