import SystemPackage
import TestSupport
import XCTest

@testable import PosixAIO

/// Times and limits that are out of any range neither trap nor have anybody wait for nothing.
final class DurationLimitTests: XCTestCase {
  private static let endless: [Duration] = [
    .seconds(Int64.max), .nanoseconds(Int64.max), .milliseconds(Int64.max),
    Duration(secondsComponent: .max, attosecondsComponent: 999_999_999_999_999_999),
    .seconds(Int64.max) * 10,
  ]

  func test_durationsBecomeNanoseconds_asNearAsTheyFit() {
    for duration in Self.endless.dropFirst(2) + [.seconds(Int64.max)] {
      XCTAssertEqual(duration.wholeNanoseconds, UInt64(Int64.max), "\(duration)")
    }
    XCTAssertEqual(Duration.nanoseconds(Int64.max).wholeNanoseconds, UInt64(Int64.max))
    for duration: Duration in [
      .zero, .nanoseconds(-1), .seconds(Int64.min), .seconds(Int64.min) * 10,
      Duration(secondsComponent: 0, attosecondsComponent: 999_999_999),
    ] {
      XCTAssertEqual(duration.wholeNanoseconds, 0, "\(duration)")
    }
    XCTAssertEqual(Duration.seconds(3).wholeNanoseconds, 3_000_000_000)
    XCTAssertEqual(Duration.nanoseconds(1_999_999_999).wholeNanoseconds, 1_999_999_999)
  }

  func test_requestsWithEndlessTimeoutsComplete_onAQueueWithAnEndlessBackstop() throws {
    let folder = try TemporaryDirectory()
    for duration in Self.endless {
      let ledger = Ledger()
      let queue = try CompletionQueue(
        configuration: .with {
          $0.backstopFloor = duration
          $0.backstopCeiling = duration
        })
      let file = AIOFile(try folder.open("file"), queue: queue)
      for _ in 0..<3 {
        try file.write(IOBuffer(copying: [1]), at: 0, timeout: duration, ledger.transfer())
        try queue.runUntilIdle()
      }
      XCTAssertEqual(ledger.entries, [[.moved(1)], [.moved(1)], [.moved(1)]], "\(duration)")
    }
  }

  func test_backstopSaturates() {
    for duration in Self.endless {
      var backstop = Backstop(floor: duration, ceiling: duration)
      backstop.looked(foundLostOnes: false)
      backstop.scheduleIfNeeded(now: .max - 1)
      XCTAssertEqual(backstop.dueAt, .max)
      XCTAssertFalse(backstop.takeDue(now: .max - 1))
    }
  }

  func test_drainWithANegativeLimitCallsNothing_andReturns() throws {
    let folder = try TemporaryDirectory()
    try folder.write([1], to: "file")
    let ledger = Ledger()
    let queue = try CompletionQueue()
    let file = AIOFile(try folder.open("file"), queue: queue)
    for _ in 0..<3 {
      try file.read(into: IOBuffer(capacity: 1), at: 0, ledger.read(expecting: [1]))
    }
    for limit in [-1, Int.min, 0] {
      XCTAssertEqual(queue.drain(limit: limit), 0)
      XCTAssertEqual(queue.drain(limit: limit, cachedReadLimit: limit, sources: .polls), 0)
      XCTAssertEqual(queue.drain(limit: 0, cachedReadLimit: limit, sources: .polls), 0)
    }
    try queue.runUntilIdle()
    ledger.assertEachOnce()
  }

  func test_suspendTakesAnyTimeout() throws {
    let pipe = try TestPipe()
    let read = AIORead(pipe.readEnd, offset: 0, into: IOBuffer(capacity: 1))
    try read.submit()
    for timeout: Duration in [.seconds(Int64.min), .nanoseconds(-1), .zero] {
      XCTAssertThrowsError(try AIOOperation.suspend([read], timeout: timeout)) {
        XCTAssertEqual($0 as? Errno, .resourceTemporarilyUnavailable)
      }
    }
    try pipe.write([1])
    for timeout in Self.endless { try AIOOperation.suspend([read], timeout: timeout) }
    XCTAssertEqual(try read.takeResult(), 1)
  }
}
