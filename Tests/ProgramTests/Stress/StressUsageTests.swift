import TestSupport
import XCTest

final class StressUsageTests: StressTestCase {
  func test_badOptionsAreRefusedInOneLine() throws {
    for (arguments, name) in [
      (["--frobnicate"], "--frobnicate"), (["extra"], "extra"), (["--file", ""], "--file"),
      (["--size", "0"], "--size"), (["--size", "much"], "much"), (["--size", "100"], "--size"),
      (["--size=-1"], "-1"), (["--size", "99999999999999G"], "99999999999999G"),
      (["--size", "8000000G"], "--size"), (["--block-size", "100"], "--block-size"),
      (["--block-size", "0"], "--block-size"), (["--block-size", "128M"], "--block-size"),
      (["--direct", "--block-size", "1088"], "--direct"), (["--ops", "0"], "--ops"),
      (["--ops", "5", "--duration", "5"], "exclude"), (["--duration", "0"], "--duration"),
      (["--duration", "nan"], "--duration"), (["--duration", "inf"], "--duration"),
      (["--queue-depth", "0"], "--queue-depth"), (["--queue-depth", "16385"], "--queue-depth"),
      (["--queue-depth", "16384", "--block-size", "1M", "--size", "1G"], "--queue-depth"),
      (["--read-percent", "101"], "--read-percent"), (["--read-percent=-1"], "--read-percent"),
      (["--cancel-percent", "101"], "--cancel-percent"), (["--sync-every=-1"], "--sync-every"),
      (["--lanes", "0"], "--lanes"), (["--lanes", "65"], "--lanes"), (["--seed=-1"], "--seed"),
      (["--seed", "99999999999999999999"], "99999999999999999999"),
      (["--stall-limit", "0"], "--stall-limit"),
    ] {
      assertRefused(try run(arguments), status: 64, naming: name)
      XCTAssertFalse(exists("file"), "\(arguments)")
    }
  }

  func test_helpTellsWhatBecomesOfTheFile() throws {
    let outcome = try run("--help")
    XCTAssertEqual(outcome.status, 0)
    XCTAssertEqual(outcome.errors, "")
    let words = outcome.output.split(whereSeparator: \.isWhitespace).joined(separator: " ")
    XCTAssertTrue(words.contains("removed if this run created it"), words)
    for option in [
      "--file", "--size", "--ops", "--duration", "--queue-depth", "--block-size", "--read-percent",
      "--sync-every", "--lanes", "--direct", "--cancel-percent", "--no-cache-first", "--seed",
      "--json", "--overwrite", "--keep",
    ] {
      XCTAssertTrue(words.contains(option), option)
    }
  }
}
