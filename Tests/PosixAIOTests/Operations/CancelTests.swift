import Dispatch
import Glibc
import PosixAIO
import SystemPackage
import XCTest

final class CancelTests: OperationTestCase {
  func test_cancelSaysAllDone_whenThereIsNothingToCancel() throws {
    let write = AIOWrite(try file(), offset: 0, IOBuffer("abc"))
    XCTAssertEqual(try write.cancel(), .allDone)
    try write.submit()
    try write.waitUntilFinished()
    XCTAssertEqual(try write.cancel(), .allDone)
    XCTAssertEqual(try write.takeResult(), 3)
    XCTAssertEqual(try write.cancel(), .allDone)
  }

  // MARK: All of a descriptor

  func test_cancelAllSaysAllDone_whenNothingIsInFlight() throws {
    let file = try file()
    XCTAssertEqual(try AIOOperation.cancelAll(on: file), .allDone)
    let write = AIOWrite(file, offset: 0, IOBuffer("abc"))
    try write.submit()
    try write.waitUntilFinished()
    XCTAssertEqual(try AIOOperation.cancelAll(on: file), .allDone)
    XCTAssertEqual(try write.takeResult(), 3)
  }

  func test_cancelAllCancelsWhatWaits() throws {
    let saturation = try saturateHelpers()
    let file = try file("abcdef")
    let other = AIOWrite(try open("other", options: .create), offset: 0, IOBuffer("x"))
    let write = AIOWrite(file, offset: 0, IOBuffer("ABC"))
    let read = AIORead(file, offset: 0, into: IOBuffer(capacity: 3))
    for operation in [other, write, read] { try operation.submit() }
    XCTAssertEqual(try AIOOperation.cancelAll(on: file), .canceled)
    assertThrows(.canceled, try write.takeResult())
    assertThrows(.canceled, try read.takeResult())
    XCTAssertEqual(other.error(), .nowInProgress)
    try saturation.release()
    XCTAssertEqual(try other.waitForResult(), 1)
    XCTAssertEqual(try text(), "abcdef")
  }

  func test_cancelAllLeavesTheOneThatRuns() throws {
    let pipe = try SmallPipe()
    let running = AIOWrite(pipe.writeEnd, offset: 0, blockingBuffer())
    let waiting = AIOWrite(pipe.writeEnd, offset: 0, IOBuffer("x"))
    try running.submit()
    try pipe.waitUntilReadable()
    try waiting.submit()
    XCTAssertEqual(try AIOOperation.cancelAll(on: pipe.writeEnd), .notCanceled)
    assertThrows(.canceled, try waiting.takeResult())
    try pipe.drain(SmallPipe.blockingByteCount)
    XCTAssertEqual(try running.waitForResult(), SmallPipe.blockingByteCount)
    XCTAssertFalse(pipe.readEnd.isReadable)
  }

  func test_cancelAllIsRefused_whenTheDescriptorIsNotOpen() {
    assertThrows(.badFileDescriptor, try AIOOperation.cancelAll(on: closedDescriptor))
  }

  // MARK: One that others wait behind

  /// glibc would mark the follower as running, and nobody would run it: see GlibcFacts.
  func test_cancelIsRefused_andAllFinish_whenAnotherWaitsBehind() throws {
    let file = try file("abcdef")
    try checkRefusal(
      of: AIOWrite(file, offset: 0, IOBuffer("AB")),
      before: AIOWrite(file, offset: 2, IOBuffer("CD")))
    XCTAssertEqual(try text(), "ABCDef")
  }

  /// glibc leaves the first of a descriptor where it is, however urgent the next one.
  func test_cancelIsRefused_andAllFinish_whenAMoreUrgentOneWaitsBehind() throws {
    let file = try file("abcdef")
    try checkRefusal(
      of: AIOWrite(file, offset: 0, IOBuffer("AB"), priority: 20),
      before: AIOWrite(file, offset: 2, IOBuffer("CD")))
    XCTAssertEqual(try text(), "ABCDef")
  }

  func test_cancelIsRefused_andAllFinish_whenALessUrgentOneWasFirstAndWaitsBehind() throws {
    let pipe = try SmallPipe()
    let first = AIOWrite(pipe.writeEnd, offset: 0, blockingBuffer())
    let less = AIOWrite(pipe.writeEnd, offset: 0, IOBuffer("less"), priority: 1)
    let more = AIOWrite(pipe.writeEnd, offset: 0, IOBuffer("more"))
    try first.submit()
    try pipe.waitUntilReadable()
    try less.submit()
    try more.submit()
    XCTAssertEqual(try more.cancel(), .notCanceled)
    try pipe.drain(SmallPipe.blockingByteCount)
    XCTAssertEqual(try pipe.drain(8), Array("moreless".utf8))
    for operation in [first, more, less] { _ = try operation.waitForResult() }
  }

  func test_followerFinishes_whenTheOneBeforeItIsDropped() throws {
    let saturation = try saturateHelpers()
    let file = try file("abcdef")
    var first: AIOWrite? = AIOWrite(file, offset: 0, IOBuffer("AB"))
    let follower = AIOWrite(file, offset: 2, IOBuffer("CD"))
    try first?.submit()
    try follower.submit()
    first = nil
    XCTAssertEqual(AIOOperation.reclaimDropped(), 1)
    try saturation.release()
    XCTAssertEqual(try follower.waitForResult(), 2)
    XCTAssertEqual(AIOOperation.reclaimDropped(), 0)
    XCTAssertEqual(try text(), "ABCDef")
  }

  func test_theLastOneIsCanceled_andThenTheOneBeforeIt() throws {
    let saturation = try saturateHelpers()
    let file = try file("abcdef")
    let writes = (0..<3).map { AIOWrite(file, offset: $0, IOBuffer("X")) }
    for write in writes { try write.submit() }
    XCTAssertEqual(try writes[1].cancel(), .notCanceled)
    XCTAssertEqual(try writes[2].cancel(), .canceled)
    XCTAssertEqual(try writes[1].cancel(), .canceled)
    try saturation.release()
    XCTAssertEqual(try writes[0].waitForResult(), 1)
    assertThrows(.canceled, try writes[1].takeResult())
    assertThrows(.canceled, try writes[2].takeResult())
    XCTAssertEqual(try text(), "Xbcdef")
  }

  /// Right in whatever order two threads come; the one moment that glibc minds is too short to hit.
  func test_followersFinish_whenTheyAreSubmittedWhileTheOnesBeforeThemAreCanceled() throws {
    let saturation = try saturateHelpers()
    let pairs = try (0..<1000).map { _ in
      let file = try open(options: .create)
      return (AIOWrite(file, offset: 0, IOBuffer("A")), AIOWrite(file, offset: 1, IOBuffer("B")))
    }
    for (first, _) in pairs { try first.submit() }
    // Each operation is used by one of the two threads.
    nonisolated(unsafe) let shared = pairs
    DispatchQueue.concurrentPerform(iterations: 2) { thread in
      for (first, follower) in unsafe shared {
        if thread == 0 { _ = try? first.cancel() } else { try? follower.submit() }
      }
    }
    try saturation.release()
    for (first, follower) in pairs {
      XCTAssertEqual(try follower.waitForResult(), 1)
      try first.waitUntilFinished()
      let isCanceled = first.error() == .canceled
      XCTAssertEqual(try? first.takeResult(), isCanceled ? nil : 1)
    }
  }

  private func blockingBuffer() -> IOBuffer {
    IOBuffer(copying: [UInt8](repeating: 0, count: SmallPipe.blockingByteCount))
  }

  /// With all helpers busy, neither can have begun.
  private func checkRefusal(of first: AIOWrite, before follower: AIOWrite) throws {
    let saturation = try saturateHelpers()
    try first.submit()
    try follower.submit()
    XCTAssertEqual(try first.cancel(), .notCanceled)
    XCTAssertEqual(first.error(), .nowInProgress)
    try saturation.release()
    XCTAssertEqual(try first.waitForResult(), 2)
    XCTAssertEqual(try follower.waitForResult(), 2)
  }
}
