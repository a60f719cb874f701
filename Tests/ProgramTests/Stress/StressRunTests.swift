import Foundation
import Glibc
import TestSupport
import XCTest

/// Undisturbed loads.
final class StressRunTests: StressTestCase {
  func test_everythingIsVerified_inEachMode() throws {
    for mode in [
      [], ["--queue-depth", "1"], ["--queue-depth", "500"], ["--lanes", "1"], ["--no-cache-first"],
      ["--cancel-percent", "30"], ["--cancel-percent", "100", "--no-cache-first"],
      ["--read-percent", "0"], ["--read-percent", "100"], ["--sync-every", "0"],
      ["--sync-every", "1", "--cancel-percent", "20"], ["--block-size", "64"],
      ["--block-size", "64K"], ["--size", "4K", "--cancel-percent", "20"],
      ["--block-size", "192", "--no-cache-first", "--cancel-percent", "20"],
    ] {
      let outcome = try run(["--ops", "1500"] + mode)
      XCTAssertEqual(outcome.status, 0, "\(mode): \(outcome)")
      XCTAssertTrue(outcome.output.contains("verified: each completion once"), outcome.output)
      XCTAssertFalse(exists("file"), "\(mode)")
    }
  }

  func test_everythingIsVerified_pastThePageCache() throws {
    let outcome = try run("--ops", "1000", "--direct", "--cancel-percent", "20")
    guard !outcome.errors.contains("does not support direct IO") else {
      assertRefused(outcome, naming: "--direct")
      throw XCTSkip("the file system of /tmp does not support direct IO")
    }
    XCTAssertEqual(outcome.status, 0, "\(outcome)")
  }

  func test_everythingIsVerified_whenNoSignalCanBeQueued() throws {
    let outcome = try run(
      "--ops", "1500", "--no-cache-first", "--cancel-percent", "10",
      launcher: ["/bin/bash", "-c", "ulimit -i 0; exec \"$@\"", "bash"])
    XCTAssertEqual(outcome.status, 0, "\(outcome)")
  }

  func test_loadEndsByTheTime() throws {
    let outcome = try run("--duration", "0.2", "--json")
    XCTAssertEqual(outcome.status, 0, "\(outcome)")
    XCTAssertGreaterThan(try XCTUnwrap(object(outcome)["operations"] as? Int), 0)
  }

  func test_jsonIsOneObjectAndNothingElse() throws {
    let outcome = try run("--ops", "2000", "--json", "--cancel-percent", "10")
    XCTAssertEqual(outcome.output.filter { $0 == "\n" }.count, 1)
    let report = try object(outcome)
    XCTAssertEqual(report["verified"] as? Bool, true)
    XCTAssertEqual(report["seed"] as? Int, 7)
    XCTAssertEqual(report["operations"] as? Int, 2000)
    XCTAssertEqual(report["verifiedBlocks"] as? Int, 64)
    let ends = ["completed", "canceled", "timedOut"].compactMap { report[$0] as? Int }
    XCTAssertEqual(ends.reduce(0, +), 2000)
    let latencies = try XCTUnwrap(report["latencies"] as? [String: [String: Any]])
    XCTAssertEqual(Set(latencies.keys), ["reads", "writes", "syncs"])
    let counts = latencies.values.compactMap { $0["count"] as? Int }
    XCTAssertEqual(counts.reduce(0, +), ends[0])
    XCTAssertNotNil(latencies["reads"]?["p99.9Microseconds"] as? Double)
    XCTAssertNotNil((report["queue"] as? [String: Any])?["signals"] as? Int)
  }

  func test_seedDecidesTheOperations_whateverTheirTiming() throws {
    func digest(_ arguments: String...) throws -> String {
      let outcome = try run(["--ops", "1500", "--json", "--cancel-percent", "10"] + arguments)
      return try XCTUnwrap(object(outcome)["sequenceDigest"] as? String)
    }
    let first = try digest()
    XCTAssertEqual(try digest(), first)
    XCTAssertEqual(try digest("--no-cache-first", "--lanes", "2"), first)
    XCTAssertNotEqual(try digest("--seed", "8"), first)
  }

  func test_seedIsNamed_whenNoneWasGiven() throws {
    let outcome = try StressProcess(
      ["--file", "file", "--size", "64K", "--ops", "100", "--json"], in: directory
    ).waitForEnd()
    let seed = try XCTUnwrap(object(outcome)["seed"] as? Int)
    XCTAssertTrue(outcome.errors.contains("--seed \(seed)"), outcome.errors)
  }

  func test_outputHasNoProgress_whereNoTerminalIs() throws {
    let outcome = try run("--duration", "0.5")
    XCTAssertFalse((outcome.output + outcome.errors).contains("\r"))
    XCTAssertFalse((outcome.output + outcome.errors).contains("\u{1B}"))
  }

  func test_progressIsShown_onATerminal() throws {
    guard FileManager.default.isExecutableFile(atPath: "/usr/bin/script") else {
      throw XCTSkip("there is no script(1)")
    }
    let onTerminal = "script --quiet --return --command \"$0 $*\" /dev/null"
    let outcome = try run("--duration", "1", launcher: ["/bin/bash", "-c", onTerminal])
    XCTAssertEqual(outcome.status, 0, "\(outcome)")
    XCTAssertTrue(outcome.output.contains("\r\u{1B}[Kloading: "), outcome.output)
  }

  // MARK: Signals

  func test_loadEndsEarlyAndIsVerified_onInterruptAndTerminate() throws {
    for signal in [SIGINT, SIGTERM] {
      let process = try StressProcess(
        Self.small + ["--duration", "1000", "--json", "--cancel-percent", "10"], in: directory)
      try waitUntilWhole()
      process.send(signal)
      let outcome = try process.waitForEnd()
      XCTAssertEqual(outcome.status, 0, "\(outcome)")
      let report = try object(outcome)
      XCTAssertEqual(report["interrupted"] as? Bool, true)
      XCTAssertEqual(report["verified"] as? Bool, true)
      XCTAssertFalse(exists("file"))
    }
  }
}
