import Glibc
import PosixAIO
import SystemPackage
import XCTest

/// From submission to result, and around again. What traps is in `MisuseTests`.
final class LifecycleTests: OperationTestCase {
  func test_errorIsEINVAL_whenTheOperationIsNotSubmitted() throws {
    let write = AIOWrite(try file(), offset: 0, IOBuffer("abc"))
    XCTAssertEqual(write.error(), .invalidArgument)
    assertThrows(.invalidArgument, try write.takeResult())
  }

  func test_resultIsGivenOnce() throws {
    let write = AIOWrite(try file(), offset: 0, IOBuffer("abc"))
    try write.submit()
    XCTAssertEqual(try write.waitForResult(), 3)
    assertThrows(.invalidArgument, try write.takeResult())
    XCTAssertEqual(write.error(), .invalidArgument)
  }

  func test_failureIsGivenOnce() throws {
    let write = AIOWrite(closedDescriptor, offset: 0, IOBuffer("abc"))
    try write.submit()
    assertThrows(.badFileDescriptor, try write.waitForResult())
    assertThrows(.invalidArgument, try write.takeResult())
  }

  func test_resultIsNotGivenYet_whileTheOperationRuns() throws {
    let pipe = try SmallPipe()
    let read = AIORead(pipe.readEnd, offset: 0, into: IOBuffer(capacity: 1))
    try read.submit()
    assertThrows(.nowInProgress, try read.takeResult())
    XCTAssertTrue(read.isInProgress)
    XCTAssertEqual(read.error(), .nowInProgress)
    try pipe.fill("x".utf8)
    XCTAssertEqual(try read.waitForResult(), 1)
  }

  func test_operationIsInProgress_untilItsResultIsTaken() throws {
    let write = AIOWrite(try file(), offset: 0, IOBuffer("abc"))
    XCTAssertFalse(write.isInProgress)
    try write.submit()
    try write.waitUntilFinished()
    XCTAssertTrue(write.isInProgress)
    XCTAssertEqual(try write.takeResult(), 3)
    XCTAssertFalse(write.isInProgress)
  }

  func test_operationMayBeSubmittedAgain_withTheSameBuffer() throws {
    let file = try file()
    let write = AIOWrite(file, offset: 0, IOBuffer("abc"))
    let read = AIORead(file, offset: 0, into: IOBuffer(capacity: 3))
    for round in 0..<100 {
      write.offset = Int64(3 * round)
      try write.submit()
      XCTAssertEqual(try write.waitForResult(), 3)
      read.offset = write.offset
      try read.submit()
      XCTAssertEqual(try read.waitForResult(), 3)
    }
    XCTAssertEqual(read.takeText(), "abc")
    XCTAssertEqual(try text(), String(repeating: "abc", count: 100))
  }

  func test_syncMayBeSubmittedAgain() throws {
    let sync = AIOFsync(try file("abc"), mode: .dataSync)
    for _ in 0..<10 {
      try sync.submit()
      try sync.waitForResult()
      // glibc writes over its own field for it.
      XCTAssertEqual(sync.mode, .dataSync)
    }
  }

  func test_submitIsRefused_whenTheBufferWasTaken() throws {
    let write = AIOWrite(try file(), offset: 0, IOBuffer("abc"))
    XCTAssertEqual(write.takeText(), "abc")
    XCTAssertNil(write.takeText())
    assertThrows(.badAddress, try write.submit())
    XCTAssertFalse(write.isInProgress)
  }

  func test_submitIsRefused_whenThePriorityIsOutOfRange() throws {
    let file = try file()
    for priority: Int32 in [-1, 21, .min, .max] {
      let write = AIOWrite(file, offset: 0, IOBuffer("abc"), priority: priority)
      assertThrows(.invalidArgument, try write.submit())
      XCTAssertFalse(write.isInProgress)
      XCTAssertEqual(write.error(), .invalidArgument)
    }
    XCTAssertEqual(try text(), "")
    for priority: Int32 in [0, 20] {
      let write = AIOWrite(file, offset: 0, IOBuffer("abc"), priority: priority)
      try write.submit()
      XCTAssertEqual(try write.waitForResult(), 3)
    }
  }

  /// glibc tells the error by `aio_error`; `aio_return` leaves errno alone.
  func test_errorIsTheOperations_whateverErrnoSays() throws {
    let write = AIOWrite(closedDescriptor, offset: 0, IOBuffer("abc"))
    try write.submit()
    try write.waitUntilFinished()
    errno = EDOM
    assertThrows(.badFileDescriptor, try write.takeResult())
  }

  // MARK: Descriptors without a position

  func test_offsetIsIgnored_onAPipe() throws {
    let pipe = try SmallPipe()
    let write = AIOWrite(pipe.writeEnd, offset: 100, IOBuffer("abc"))
    try write.submit()
    XCTAssertEqual(try write.waitForResult(), 3)
    let read = AIORead(pipe.readEnd, offset: 200, into: IOBuffer(capacity: 10))
    try read.submit()
    XCTAssertEqual(try read.waitForResult(), 3)
    XCTAssertEqual(read.takeText(), "abc")
  }

  func test_vectorsMoveThroughAPipe() throws {
    let pipe = try SmallPipe()
    let write = AIOWritev(pipe.writeEnd, offset: 100, IOVector(["abc", "def"]))
    try write.submit()
    XCTAssertEqual(try write.waitForResult(), 6)
    let read = AIOReadv(pipe.readEnd, offset: 200, into: IOVector(capacities: [2, 10]))
    try read.submit()
    XCTAssertEqual(try read.waitForResult(), 6)
    XCTAssertEqual(read.takeTexts(), ["ab", "cdef"])
  }

  // MARK: Order on one descriptor

  func test_urgentOnesRunFirst_andEqualOnesInTheOrderOfSubmission() throws {
    let pipe = try SmallPipe()
    let blocking = IOBuffer(copying: [UInt8](repeating: 0, count: SmallPipe.blockingByteCount))
    let running = AIOWrite(pipe.writeEnd, offset: 0, blocking)
    try running.submit()
    try pipe.waitUntilReadable()
    let writes = [("c", Int32(20)), ("a", 0), ("b", 1), ("A", 0)].map { text, priority in
      AIOWrite(pipe.writeEnd, offset: 0, IOBuffer(text), priority: priority)
    }
    for write in writes { try write.submit() }
    try pipe.drain(SmallPipe.blockingByteCount)
    XCTAssertEqual(String(decoding: try pipe.drain(4), as: UTF8.self), "aAbc")
    for write in [running] + writes { _ = try write.waitForResult() }
  }
}
