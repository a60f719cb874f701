import TestSupport
import XCTest

@testable import PosixAIO

/// 100,000 requests in storms of cancellations, deadlines and closes. `AIO_TEST_SEED` repeats one.
final class StormTests: XCTestCase {
  private func runStorms(
    requestCount: Int, scripted: Bool, _ change: (inout CompletionQueue.Configuration) -> Void
  ) throws {
    let before = try openDescriptors()
    let seed = testSeed()
    for (number, cacheFirst) in [true, false].enumerated() {
      for (place, merges) in [true, false].enumerated() {
        let configuration = CompletionQueue.Configuration.with {
          $0.readsCacheFirst = cacheFirst
          $0.mergesWrites = merges
          $0.inFlightLimit = 48
          $0.inFlightLimitPerFile = 24
          $0.lanesPerFile = 4
          $0.waitingLimit = 300
          change(&$0)
        }
        let script = scripted ? ScriptedSystem() : nil
        script?.helperCount = 8
        let storm = try Storm(
          seed: seed &+ UInt64(number * 2 + place), configuration, script: script)
        try storm.run(requestCount: requestCount)
        XCTAssertGreaterThan(storm.successCount, requestCount / 4, "seed \(seed)")
      }
    }
    XCTAssertEqual(try openDescriptors(), before, "seed \(seed)")
  }

  func test_everyRequestCompletesOnceAndRight_whateverLibcDoes() throws {
    try runStorms(requestCount: 15_000, scripted: true) { _ in }
  }

  func test_everyRequestCompletesOnceAndRight_withGlibcItself() throws {
    try runStorms(requestCount: 10_000, scripted: false) { _ in }
  }

  func test_everyRequestCompletesOnceAndRight_withNarrowLimits() throws {
    try runStorms(requestCount: 5000, scripted: true) {
      $0.inFlightLimit = 3
      $0.inFlightLimitPerFile = 2
      $0.lanesPerFile = 1
      $0.heldByteLimit = 1000
    }
  }
}
