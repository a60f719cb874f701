import CPosixAIO
import Glibc
import SystemPackage
import TestSupport
import XCTest

@testable import PosixAIO

/// Operations that nobody holds any more while glibc still does.
final class DropTests: OperationTestCase {
  func test_memoryIsKept_untilGlibcIsDone() throws {
    let pipe = try SmallPipe()
    let dropped = try drop(AIORead(pipe.readEnd, offset: 0, into: IOBuffer(capacity: 3)))
    XCTAssertNotNil(dropped.block)
    XCTAssertEqual(AIOOperation.reclaimDropped(), 1)
    try pipe.fill("abc".utf8)
    try dropped.waitUntilFinished()
    XCTAssertEqual(try dropped.bytes, Array("abc".utf8))
    XCTAssertEqual(AIOOperation.reclaimDropped(), 0)
    XCTAssertNil(dropped.block)
  }

  func test_writeTakesPlace_whenItIsDropped() throws {
    let saturation = try saturateHelpers()
    let dropped = try drop(AIOWrite(try file(), offset: 0, IOBuffer("abc")))
    XCTAssertEqual(AIOOperation.reclaimDropped(), 1)
    try saturation.release()
    try dropped.waitUntilFinished()
    XCTAssertEqual(AIOOperation.reclaimDropped(), 0)
    XCTAssertNil(dropped.block)
    XCTAssertEqual(try text(), "abc")
  }

  func test_vectoredReadKeepsItsBuffersAndTheMemoryBesideThem() throws {
    let pipe = try SmallPipe()
    let dropped = try drop(
      AIOReadv(pipe.readEnd, offset: 0, into: IOVector(capacities: [2, 4])))
    XCTAssertEqual(AIOOperation.reclaimDropped(), 1)
    try pipe.fill("abcdef".utf8)
    try dropped.waitUntilFinished()
    XCTAssertEqual(try dropped.bytes, Array("abcdef".utf8))
    XCTAssertEqual(AIOOperation.reclaimDropped(), 0)
    XCTAssertNil(dropped.block)
  }

  func test_vectoredWriteTakesPlace_whenItIsDropped() throws {
    let saturation = try saturateHelpers()
    let dropped = try drop(AIOWritev(try file(), offset: 0, IOVector(["abc", "def"])))
    try saturation.release()
    try dropped.waitUntilFinished()
    XCTAssertEqual(AIOOperation.reclaimDropped(), 0)
    XCTAssertNil(dropped.block)
    XCTAssertEqual(try text(), "abcdef")
  }

  func test_syncWithASignalIsKept_untilTheSignalIsSent() throws {
    let recorder = try SignalRecorder(SIGUSR2)
    let saturation = try saturateHelpers()
    let dropped = try drop(
      AIOFsync(try file("abc"), notification: .signal(number: SIGUSR2, value: 1)))
    XCTAssertEqual(AIOOperation.reclaimDropped(), 1)
    try saturation.release()
    XCTAssertEqual(try recorder.next().value, 1)
    XCTAssertEqual(AIOOperation.reclaimDropped(), 0)
    XCTAssertNil(dropped.block)
  }

  func test_otherMembersFinishAndTheSignalComes_whenAMemberOfAListIsDropped() throws {
    let recorder = try SignalRecorder(SIGUSR2)
    let saturation = try saturateHelpers()
    let kept = AIOWrite(try file(), offset: 0, IOBuffer("abc"))
    var dropped: AIOWrite? = AIOWrite(
      try open("other", options: .create), offset: 0, IOBuffer("def"))
    try AIOOperation.list(
      .noWait, [dropped, kept], notification: .signal(number: SIGUSR2, value: 1))
    dropped = nil
    XCTAssertEqual(AIOOperation.reclaimDropped(), 1)
    try saturation.release()
    XCTAssertEqual(try recorder.next().value, 1)
    XCTAssertEqual(AIOOperation.reclaimDropped(), 0)
    XCTAssertEqual(try kept.waitForResult(), 3)
    XCTAssertEqual(try text(of: "other"), "def")
  }

  func test_nothingIsKept_whenTheOperationIsFinished() throws {
    var write: AIOWrite? = AIOWrite(try file(), offset: 0, IOBuffer("abc"))
    let dropped = Dropped(write?.block)
    try write?.submit()
    try write?.waitUntilFinished()
    write = nil
    XCTAssertNil(dropped.block)
    XCTAssertEqual(AIOOperation.reclaimDropped(), 0)
  }

  func test_nothingIsKept_whenTheOperationWasNotSubmitted() throws {
    var write: AIOWrite? = AIOWrite(try file(), offset: 0, IOBuffer("abc"))
    let dropped = Dropped(write?.block)
    write = nil
    XCTAssertNil(dropped.block)
  }

  func test_submittingAndDroppingFreeWhatIsFinished() throws {
    let pipe = try SmallPipe()
    let first = try drop(AIORead(pipe.readEnd, offset: 0, into: IOBuffer(capacity: 1)))
    try pipe.fill("a".utf8)
    try first.waitUntilFinished()
    XCTAssertNotNil(first.block)
    let write = AIOWrite(try file(), offset: 0, IOBuffer("abc"))
    try write.submit()
    XCTAssertNil(first.block)
    XCTAssertEqual(try write.waitForResult(), 3)

    let second = try drop(AIORead(pipe.readEnd, offset: 0, into: IOBuffer(capacity: 1)))
    let third = AIORead(pipe.readEnd, offset: 0, into: IOBuffer(capacity: 1))
    try third.submit()
    try pipe.fill("bc".utf8)
    try third.waitUntilFinished()
    let fourth = try drop(AIORead(pipe.readEnd, offset: 0, into: IOBuffer(capacity: 1)))
    XCTAssertNil(second.block)
    try pipe.fill("d".utf8)
    try fourth.waitUntilFinished()
    XCTAssertEqual(AIOOperation.reclaimDropped(), 0)
  }

  func test_nothingLeaks_whenManyAreDropped() throws {
    let saturation = try saturateHelpers()
    let file = try file()
    let dropped = try (0..<500).map { index in
      try drop(AIOWrite(file, offset: Int64(index), IOBuffer("x")))
    }
    XCTAssertEqual(AIOOperation.reclaimDropped(), dropped.count)
    // Behind all of them, on the same descriptor.
    let last = AIOWrite(file, offset: 500, IOBuffer("x"), priority: 20)
    try last.submit()
    try saturation.release()
    XCTAssertEqual(try last.waitForResult(), 1)
    XCTAssertEqual(AIOOperation.reclaimDropped(), 0)
    XCTAssertEqual(dropped.count { $0.block != nil }, 0)
    XCTAssertEqual(try text(), String(repeating: "x", count: 501))
  }

  func test_oneLineSaysThatAResultIsLost_onlyOnceInAProcess() throws {
    let outcome = try Program.run("OperationScenario", ["drop"])
    XCTAssertEqual(outcome.output, "ok\n")
    XCTAssertEqual(
      outcome.errors,
      """
      PosixAIO: an operation was dropped in flight; its memory is kept until it ends, and its \
      result is lost. Further ones are not reported.

      """)
    XCTAssertEqual(outcome.status, 0)
  }

  func test_theLineComesForTheFirstLoss_whenASignalWasOnItsWayBefore() throws {
    let outcome = try Program.run("OperationScenario", ["drop-after-sync"])
    XCTAssertEqual(outcome.output, "ok\n", outcome.errors)
    XCTAssertTrue(outcome.errors.hasPrefix("PosixAIO: an operation was dropped"))
  }

  /// Submits an operation and lets go of it.
  private func drop(_ operation: AIOOperation) throws -> Dropped {
    try operation.submit()
    return Dropped(operation.block)
  }
}

/// What is left of an operation that was dropped.
private final class Dropped {
  private(set) weak var block: ControlBlock?

  init(_ block: ControlBlock?) { self.block = block }

  /// What the operation has moved so far.
  var bytes: [UInt8] {
    get throws {
      let control = unsafe try XCTUnwrap(block).control
      let memory = unsafe UnsafeRawBufferPointer(
        start: control.pointee.aio_buf, count: control.pointee.aio_nbytes)
      return unsafe Array(memory)
    }
  }

  func waitUntilFinished() throws {
    let block = try XCTUnwrap(block)
    while block.isBusy {
      try unsafe AIOSystem.live.suspend([UnsafePointer(block.control)], timeout: testDeadline)
    }
  }
}
