import Glibc
import PosixAIO
import SystemPackage
import XCTest

final class SuspendTests: OperationTestCase {
  func test_suspendReturnsUntilAWriteAndAReadAreFinished() throws {
    let file = try file("abcdef123456")
    let write = AIOWrite(file, offset: 2, IOBuffer("CDEFG"))
    let read = AIORead(file, offset: 8, into: IOBuffer(capacity: 4))
    try write.submit()
    try read.submit()
    while write.error() == .nowInProgress || read.error() == .nowInProgress {
      let unfinished = [write, read].filter { $0.error() == .nowInProgress }
      guard !unfinished.isEmpty else { break }
      try AIOOperation.suspend(unfinished, timeout: .seconds(30))
    }
    // A finished one ends the wait at once.
    try AIOOperation.suspend([write, read], timeout: .zero)
    XCTAssertEqual(try write.takeResult(), 5)
    XCTAssertEqual(try read.takeResult(), 4)
  }

  func test_suspendGoesOnAfterEINTR_whenAHandlerInterruptsIt() throws {
    let pipe = try SmallPipe()
    let read = AIORead(pipe.readEnd, offset: 0, into: IOBuffer(capacity: 3))
    let write = AIOWrite(try file(), offset: 0, IOBuffer("abc"))
    try read.submit()
    try write.submit()
    XCTAssertEqual(try write.waitForResult(), 3)
    try RepeatedInterruption.during {
      for _ in 0..<3 {
        assertThrows(.interrupted, try AIOOperation.suspend([read], timeout: .seconds(30)))
        XCTAssertEqual(read.error(), .nowInProgress)
      }
      // Without a time-out, too.
      assertThrows(.interrupted, try AIOOperation.suspend([read]))
      try pipe.fill("xyz".utf8)
      try read.waitUntilFinished()
    }
    XCTAssertEqual(try read.takeResult(), 3)
    XCTAssertEqual(read.takeText(), "xyz")
  }

  func test_suspendThrowsEAGAIN_whenTheTimeIsOver() throws {
    let pipe = try SmallPipe()
    let read = AIORead(pipe.readEnd, offset: 0, into: IOBuffer(capacity: 1))
    try read.submit()
    for timeout in [Duration.milliseconds(20), .nanoseconds(1), .zero, .seconds(-1)] {
      let start = ContinuousClock.now
      assertThrows(
        .resourceTemporarilyUnavailable, try AIOOperation.suspend([read], timeout: timeout))
      XCTAssertGreaterThanOrEqual(ContinuousClock.now - start, timeout)
    }
    XCTAssertEqual(read.error(), .nowInProgress)
    try pipe.fill("x".utf8)
    XCTAssertEqual(try read.waitForResult(), 1)
  }

  func test_suspendTakesAnyTimeout() throws {
    let pipe = try SmallPipe()
    let read = AIORead(pipe.readEnd, offset: 0, into: IOBuffer(capacity: 1))
    try read.submit()
    try RepeatedInterruption.during {
      for timeout in [Duration.seconds(Int64.max), .seconds(1 << 33), .seconds(3600)] {
        assertThrows(.interrupted, try AIOOperation.suspend([read], timeout: timeout))
      }
    }
    try pipe.fill("x".utf8)
    XCTAssertEqual(try read.waitForResult(), 1)
  }

  func test_suspendIsRefused_whenThereIsNothingToWaitFor() throws {
    assertThrows(.invalidArgument, try AIOOperation.suspend([], timeout: .zero))
    let write = AIOWrite(try file(), offset: 0, IOBuffer("abc"))
    assertThrows(.invalidArgument, try AIOOperation.suspend([write], timeout: .zero))
    try write.submit()
    XCTAssertEqual(try write.waitForResult(), 3)
    assertThrows(.invalidArgument, try AIOOperation.suspend([write], timeout: .zero))
  }

  func test_suspendIsRefused_overTheLimitOfAList() throws {
    let write = AIOWrite(try file(), offset: 0, IOBuffer("abc"))
    try write.submit()
    try write.waitUntilFinished()
    let limit = AIOOperation.listLimit
    let most = [AIOOperation](repeating: write, count: limit)
    try AIOOperation.suspend(most, timeout: .zero)
    assertThrows(.invalidArgument, try AIOOperation.suspend(most + [write], timeout: .zero))
    XCTAssertEqual(try write.takeResult(), 3)
  }
}
