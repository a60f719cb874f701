import Glibc
import SystemPackage
import TestSupport
import XCTest

/// Another process writes to the file while it is loaded.
final class StressFaultTests: StressTestCase {
  /// Changes the file once it is filled.
  private func damage(_ change: (FileDescriptor) throws -> Void) throws {
    guard try isWhole() else { return }
    let file = try directory.open("file", options: [])
    defer { close(file.rawValue) }
    try change(file)
  }

  /// Overwrites all blocks, but not the heading.
  private func overwriteBlocks() throws {
    try damage { file in
      let zeros = [UInt8](repeating: 0, count: Self.smallByteCount - Self.headingByteCount)
      _ = try file.writeAll(toAbsoluteOffset: Int64(Self.headingByteCount), zeros)
    }
  }

  func test_damageIsFoundByTheNextRead() throws {
    let process = try StressProcess(
      Self.small + ["--duration", "1000", "--read-percent", "100"], in: directory)
    let outcome = try process.waitForEnd(overwriteBlocks)
    XCTAssertEqual(outcome.status, 1, "\(outcome)")
    XCTAssertTrue(outcome.output.contains("NOT VERIFIED"), outcome.output)
    XCTAssertTrue(outcome.errors.contains("nothing but zeros"), outcome.errors)
    XCTAssertTrue(outcome.errors.contains("at offset "), outcome.errors)
    XCTAssertTrue(outcome.errors.contains("--seed 7"), outcome.errors)
    XCTAssertTrue(exists("file"), "what is wrong is left to look at")
  }

  func test_damageIsFoundAtTheEnd_whenNothingWasRead() throws {
    let process = try StressProcess(
      Self.small + [
        "--duration", "0.5", "--read-percent", "0", "--queue-depth", "1", "--sync-every", "1",
        "--json",
      ], in: directory)
    let outcome = try process.waitForEnd(overwriteBlocks)
    XCTAssertEqual(outcome.status, 1, "\(outcome)")
    let report = try object(outcome)
    XCTAssertEqual(report["verified"] as? Bool, false)
    let finding = try XCTUnwrap((report["findings"] as? [[String: Any]])?.first)
    XCTAssertTrue((finding["what"] as? String)?.hasPrefix("at the end the block") ?? false)
    XCTAssertGreaterThanOrEqual(try XCTUnwrap(finding["offset"] as? Int), 4096)
  }

  func test_shorterFileIsFound() throws {
    let process = try StressProcess(
      Self.small + ["--duration", "1000", "--read-percent", "100"], in: directory)
    let outcome = try process.waitForEnd { [self] in
      try damage { file in XCTAssertEqual(ftruncate(file.rawValue, 4096), 0) }
    }
    XCTAssertEqual(outcome.status, 1, "\(outcome)")
    XCTAssertTrue(outcome.errors.contains("read 0 bytes"), outcome.errors)
  }

  func test_longerFileIsFoundAtTheEnd() throws {
    let outcome = try StressProcess(Self.small + ["--duration", "0.5"], in: directory).waitForEnd {
      [self] in
      try damage { file in
        _ = try file.writeAll(
          toAbsoluteOffset: Int64(Self.smallByteCount), [1])
      }
    }
    XCTAssertEqual(outcome.status, 1, "\(outcome)")
    XCTAssertTrue(outcome.errors.contains("instead of \(Self.smallByteCount)"), outcome.errors)
  }

  func test_damagedHeadingIsFoundAtTheEnd() throws {
    let outcome = try StressProcess(Self.small + ["--duration", "0.5"], in: directory).waitForEnd {
      [self] in try damage { file in _ = try file.writeAll(toAbsoluteOffset: 0, [1]) }
    }
    XCTAssertEqual(outcome.status, 1, "\(outcome)")
    XCTAssertTrue(outcome.errors.contains("the heading is damaged"), outcome.errors)
  }
}
