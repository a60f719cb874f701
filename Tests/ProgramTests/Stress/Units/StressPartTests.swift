import ArgumentParser
import Reactor
import TestSupport
import XCTest

@testable import Stress

/// The small parts: sizes, latencies, the watchdog.
final class StressPartTests: XCTestCase {
  func test_sizesAreRead() {
    for (text, value) in [
      ("0", 0), ("64", 64), ("4K", 4096), ("4k", 4096), ("64M", 64 << 20), ("2G", 2 << 30),
    ] {
      XCTAssertEqual(ByteCount(argument: text)?.value, value, text)
    }
    for text in ["", "K", "-1", "1T", "1.5M", "0x10", "M4", "4KK", "99999999999G", "\u{664}"] {
      XCTAssertNil(ByteCount(argument: text), text)
    }
    for text in ["64", "4K", "64M", "2G", "0"] {
      XCTAssertEqual(ByteCount(argument: text)?.description, text)
    }
  }

  func test_optionsAreRepeated() throws {
    let options = try StressOptions.parse([
      "--direct", "--no-cache-first", "--ops", "10", "--cancel-percent", "3", "--lanes", "2",
    ])
    let words = options.replay(seed: 9).split(separator: " ").map(String.init)
    XCTAssertEqual(words.first, "aio-stress")
    let repeated = try StressOptions.parse(Array(words.dropFirst()))
    XCTAssertEqual(repeated.seed, 9)
    XCTAssertEqual(repeated.replay(seed: 9), options.replay(seed: 9))
  }

  func test_percentilesAreNear() throws {
    var latencies = Latencies()
    XCTAssertNil(latencies.percentile(0.5))
    for microseconds in 1...1000 { latencies.record(.microseconds(microseconds)) }
    for fraction in [0.01, 0.5, 0.9, 0.99, 0.999, 1] {
      let found = try XCTUnwrap(latencies.percentile(fraction)) / .microseconds(1)
      XCTAssertEqual(found, 1000 * fraction, accuracy: 1 + 1000 * fraction / 60)
    }
    XCTAssertEqual(latencies.maximum, .milliseconds(1))
    latencies.record(.zero)
    latencies.record(.seconds(100_000))
    XCTAssertEqual(latencies.percentile(0), .zero)
    XCTAssertEqual(latencies.percentile(1), .seconds(100_000))
  }

  func test_watchdogTellsWhatIsNotDone() throws {
    let loop = try EventLoop()
    let stuck = StressOperation(number: 12, kind: .sync(dataOnly: true), cancellation: nil)
    var told: StressOperation?
    let watchdog = Watchdog(on: loop, limit: .milliseconds(1)) { operation, _ in
      told = told ?? operation
    }
    let start = SuspendingClock.now
    watchdog.watch { (stuck, start) }
    XCTAssertTrue(loop.run(until: { told != nil }, timeout: testDeadline))
    XCTAssertEqual(told, stuck)
    watchdog.cancel()
    loop.close()
  }
}
