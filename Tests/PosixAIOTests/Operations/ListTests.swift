import Glibc
import PosixAIO
import SystemPackage
import TestSupport
import XCTest

final class ListTests: OperationTestCase {
  // MARK: Waiting

  func test_listReturnsWhenAllAreFinished_inWaitMode() throws {
    let file = try file("abcdef123456")
    let write = AIOWrite(file, offset: 2, IOBuffer("CDEF"))
    let read = AIORead(file, offset: 8, into: IOBuffer(capacity: 4))
    let vector = AIOReadv(file, offset: 6, into: IOVector(capacities: [1, 1]))
    try AIOOperation.list(.wait, [write, nil, read, vector])
    XCTAssertNil(write.error())
    XCTAssertNil(read.error())
    XCTAssertEqual(try write.takeResult(), 4)
    XCTAssertEqual(try read.takeResult(), 4)
    XCTAssertEqual(try vector.takeResult(), 2)
    XCTAssertEqual(try text(), "abCDEF123456")
  }

  func test_listThrowsEIO_andEachResultTells_whenAMemberFailsInWaitMode() throws {
    let write = AIOWrite(try file(), offset: 0, IOBuffer("abc"))
    let failing = AIORead(closedDescriptor, offset: 0, into: IOBuffer(capacity: 1))
    assertThrows(.ioError, try AIOOperation.list(.wait, [failing, write]))
    XCTAssertEqual(try write.takeResult(), 3)
    assertThrows(.badFileDescriptor, try failing.takeResult())
  }

  /// `LIO_WAIT` itself leaves glibc with a pointer to a dead stack frame here.
  func test_allFinishLater_whenAHandlerInterruptsTheWait() throws {
    let pipe = try SmallPipe()
    let read = AIORead(pipe.readEnd, offset: 0, into: IOBuffer(capacity: 3))
    let write = AIOWrite(try file(), offset: 0, IOBuffer("abc"))
    try RepeatedInterruption.during {
      assertThrows(.interrupted, try AIOOperation.list(.wait, [read, write]))
    }
    XCTAssertTrue(read.isInProgress)
    XCTAssertTrue(write.isInProgress)
    try pipe.fill("xyz".utf8)
    XCTAssertEqual(try read.waitForResult(), 3)
    XCTAssertEqual(try write.waitForResult(), 3)
  }

  // MARK: Not waiting

  func test_listReturnsAtOnce_inNoWaitMode() throws {
    let saturation = try saturateHelpers()
    let write = AIOWrite(try file(), offset: 0, IOBuffer("abc"))
    try AIOOperation.list(.noWait, [write])
    XCTAssertEqual(write.error(), .nowInProgress)
    try saturation.release()
    XCTAssertEqual(try write.waitForResult(), 3)
  }

  func test_listAnnouncesTheEndOfAllOnce_byItsSignal() throws {
    let recorder = try SignalRecorder(SIGUSR2)
    let pipe = try SmallPipe()
    let write = AIOWrite(try file(), offset: 0, IOBuffer("abc"))
    let read = AIORead(pipe.readEnd, offset: 0, into: IOBuffer(capacity: 1))
    try AIOOperation.list(
      .noWait, [nil, write, read], notification: .signal(number: SIGUSR2, value: 12))
    try write.waitUntilFinished()
    XCTAssertEqual(try recorder.rest(), [], "one is not finished yet")
    try pipe.fill("x".utf8)
    let record = try recorder.next()
    XCTAssertEqual(record.value, 12)
    XCTAssertEqual(record.code, Int32(SI_ASYNCIO))
    XCTAssertEqual(try write.takeResult(), 3)
    XCTAssertEqual(try read.takeResult(), 1)
    XCTAssertEqual(try recorder.rest(), [])
  }

  func test_resultsStayRight_whenTheSignalOfTheListCannotBeQueued() throws {
    let recorder = try SignalRecorder(40)
    let file = try file()
    let writes = ["abc", "def"].enumerated().map { index, text in
      AIOWrite(file, offset: Int64(3 * index), IOBuffer(text))
    }
    try ResourceLimit.pendingSignals.lowered(to: 0) {
      try AIOOperation.list(.noWait, writes, notification: .signal(number: 40, value: 1))
      for write in writes { XCTAssertEqual(try write.waitForResult(), 3) }
    }
    XCTAssertEqual(try recorder.rest(), [])
    XCTAssertEqual(try text(), "abcdef")
  }

  func test_memberThatFailsTellsSoInItsResult_inNoWaitMode() throws {
    let write = AIOWrite(try file(), offset: 0, IOBuffer("abc"))
    let failing = AIOWrite(closedDescriptor, offset: 0, IOBuffer("abc"))
    try AIOOperation.list(.noWait, [failing, write])
    XCTAssertEqual(try write.waitForResult(), 3)
    assertThrows(.badFileDescriptor, try failing.waitForResult())
  }

  // MARK: Lists of nothing

  func test_emptyListIsFinishedAtOnce() throws {
    let recorder = try SignalRecorder(SIGUSR2)
    try AIOOperation.list(.wait, [])
    try AIOOperation.list(.noWait, [nil, nil])
    XCTAssertEqual(try recorder.rest(), [])
    try AIOOperation.list(.noWait, [nil], notification: .signal(number: SIGUSR2, value: 1))
    XCTAssertEqual(try recorder.next().value, 1)
    try AIOOperation.list(.noWait, [], notification: .signal(number: SIGUSR2, value: 2))
    XCTAssertEqual(try recorder.next().value, 2)
    XCTAssertEqual(try recorder.rest(), [])
  }

  // MARK: Lists that are refused

  func test_nothingIsStarted_whenTheListIsTooLong() throws {
    let limit = AIOOperation.listLimit
    let write = AIOWrite(try file(), offset: 0, IOBuffer("abc"))
    let padding = [AIOOperation?](repeating: nil, count: limit)
    assertThrows(.invalidArgument, try AIOOperation.list(.noWait, padding + [write]))
    XCTAssertFalse(write.isInProgress)
    try AIOOperation.list(.wait, padding.dropLast() + [write])
    XCTAssertEqual(try write.takeResult(), 3)
  }

  func test_nothingIsStarted_whenAMemberIsASync() throws {
    let file = try file()
    try checkThatNothingStarts(with: AIOFsync(file), on: file)
  }

  func test_nothingIsStarted_whenAMemberHasANotification() throws {
    let file = try file()
    let read = AIORead(
      file, offset: 0, into: IOBuffer(capacity: 1),
      notification: .signal(number: SIGUSR2, value: 0))
    try checkThatNothingStarts(with: read, on: file)
  }

  func test_nothingIsStarted_whenAMemberHasABadPriority() throws {
    let file = try file()
    let read = AIORead(file, offset: 0, into: IOBuffer(capacity: 1), priority: 21)
    try checkThatNothingStarts(with: read, on: file)
  }

  private func checkThatNothingStarts(with bad: AIOOperation, on file: FileDescriptor) throws {
    for mode in [AIOOperation.ListMode.wait, .noWait] {
      let write = AIOWrite(file, offset: 0, IOBuffer("abc"))
      assertThrows(.invalidArgument, try AIOOperation.list(mode, [write, bad]))
      XCTAssertFalse(write.isInProgress)
      XCTAssertFalse(bad.isInProgress)
      XCTAssertEqual(write.error(), .invalidArgument)
    }
    XCTAssertEqual(try text(), "")
  }
}
