import Foundation
import Glibc
import SystemPackage
import TestSupport
import XCTest

final class ChecksummerTests: XCTestCase {
  func test_everyFileHasItsChecksum_alsoInDirectories() throws {
    let directory = try TemporaryDirectory()
    try directory.write("123456789".utf8, to: "digits")
    try directory.write([], to: "empty")
    try FileManager.default.createDirectory(
      atPath: directory.path.appending("a/b").string, withIntermediateDirectories: true)
    try directory.write([UInt8](repeating: 0, count: 3_000_000), to: "a/zeros")
    for number in 0..<30 { try directory.write([UInt8(number)], to: "a/b/\(number)") }
    // Neither of them is read: a FIFO would wait for a writer.
    XCTAssertEqual(unsafe mkfifo(directory.path.appending("a/fifo").string, 0o600), 0)
    try FileManager.default.createSymbolicLink(
      atPath: directory.path.appending("a/link").string, withDestinationPath: "zeros")
    let arguments = ["digits", "empty", "a"].map { directory.path.appending($0).string }
    let outcome = try Program.run("Checksummer", arguments)
    XCTAssertEqual(outcome.status, 0, outcome.errors)
    var sums: [String: String] = [:]
    for line in outcome.output.split(separator: "\n") {
      sums[String(line.dropFirst(10))] = String(line.prefix(8))
    }
    XCTAssertEqual(sums.count, 33)
    XCTAssertEqual(sums[directory.path.appending("digits").string], "e3069283")
    XCTAssertEqual(sums[directory.path.appending("empty").string], "00000000")
    XCTAssertNotNil(sums[directory.path.appending("a/zeros").string])
    XCTAssertNotEqual(
      sums[directory.path.appending("a/b/1").string],
      sums[directory.path.appending("a/b/2").string])
    XCTAssertTrue(outcome.errors.hasSuffix("33 files, 2 MiB\n"), outcome.errors)
  }

  func test_missingFileIsReported_andTheOthersHaveTheirChecksums() throws {
    let directory = try TemporaryDirectory()
    try directory.write("123456789".utf8, to: "digits")
    let paths = ["missing", "digits"].map { directory.path.appending($0).string }
    let outcome = try Program.run("Checksummer", paths)
    XCTAssertEqual(outcome.status, 1)
    XCTAssertEqual(outcome.output, "e3069283  \(paths[1])\n")
    XCTAssertTrue(outcome.errors.contains("missing\": No such file or directory\n"), outcome.errors)
  }

  func test_interruptEndsItWithTheFinishedChecksums_andStatus130() throws {
    let directory = try TemporaryDirectory()
    try directory.write("123456789".utf8, to: "digits")
    // More than any machine reads before the deadline, without occupying the disk.
    let endless = try directory.open("endless")
    try endless.resize(to: 1 << 42)
    try endless.close()
    let paths = ["endless", "digits"].map { directory.path.appending($0).string }
    let process = Process()
    process.executableURL = URL(fileURLWithPath: "/usr/bin/timeout")
    process.arguments =
      [
        "--foreground", "--signal=KILL", "\(testDeadline.components.seconds)",
        try Program.url("Checksummer").path,
      ] + paths
    let output = Pipe()
    let errors = Pipe()
    process.standardOutput = output
    process.standardError = errors
    try process.run()
    let line = output.fileHandleForReading.availableData
    XCTAssertEqual(String(decoding: line, as: UTF8.self), "e3069283  \(paths[1])\n")
    process.interrupt()
    process.waitUntilExit()
    XCTAssertEqual(process.terminationReason, .exit)
    XCTAssertEqual(process.terminationStatus, 130)
    XCTAssertEqual(output.fileHandleForReading.readDataToEndOfFile().count, 0)
    let text = String(
      decoding: errors.fileHandleForReading.readDataToEndOfFile(), as: UTF8.self)
    XCTAssertTrue(text.contains("1 files, "), text)
    XCTAssertFalse(text.contains("anceled"), text)
  }
}
