import Glibc
import SystemPackage
import TestSupport
import XCTest

/// What glibc does with the operations of one descriptor number; the code relies on it, and another
/// glibc may do otherwise. Straight on libc.
final class OrderFactsTests: OperationTestCase {
  func test_operationsOfOneDescriptorNumberRunOneAtATime_andThoseOfADuplicateBeside() throws {
    let ends = try SocketPair()
    let duplicate = try ends.near.duplicate()
    defer { try? duplicate.close() }
    try ends.far.writeAll("x".utf8)
    let blocked = RawOperation(ends.near, byteCount: ends.blockingByteCount)
    try blocked.write()
    try ends.far.waitUntilReadable("the write does not run")

    let behind = RawOperation(ends.near, byteCount: 1)
    try behind.read()
    let beside = RawOperation(duplicate, byteCount: 1)
    try beside.read()
    try beside.waitUntilFinished()
    XCTAssertEqual(beside.bytes, Array("x".utf8))
    XCTAssertEqual(blocked.error, EINPROGRESS)
    XCTAssertEqual(behind.cancel(), Int(AIO_CANCELED), "it ran beside the write")

    try ends.drain(ends.blockingByteCount)
    try blocked.waitUntilFinished()
  }

  func test_equalOnesRunInTheOrderOfSubmission_andLessUrgentOnesLater() throws {
    let pipe = try SmallPipe()
    let blocked = try startBlockedWrite(to: pipe)
    let writes = [("d", Int32(20)), ("a", 0), ("c", 1), ("b", 0)].map { text, priority in
      RawOperation(pipe.writeEnd, Array(text.utf8), priority: priority)
    }
    for write in writes { try write.write() }
    try pipe.drain(SmallPipe.blockingByteCount)
    XCTAssertEqual(String(decoding: try pipe.drain(4), as: UTF8.self), "abcd")
    for write in [blocked] + writes { try write.waitUntilFinished() }
  }

  func test_priorityIsRefusedAtSubmission_outsideOfItsRange() throws {
    let file = try file("abc")
    for priority: Int32 in [-1, 21] {
      assertThrows(.invalidArgument, try RawOperation(file, [1], priority: priority).write())
    }
    for priority: Int32 in [0, 20] {
      let write = RawOperation(file, [1], priority: priority)
      try write.write()
      try write.waitUntilFinished()
      XCTAssertEqual(write.result, 1)
    }
  }

  func test_syncOvertakesAWriteOfLowerPriority() throws {
    let pipe = try SmallPipe()
    let blocked = try startBlockedWrite(to: pipe)
    let write = RawOperation(
      pipe.writeEnd, byteCount: SmallPipe.blockingByteCount, priority: 1)
    try write.write()
    let sync = RawOperation(pipe.writeEnd, priority: 20)
    try sync.sync()
    XCTAssertEqual(unsafe sync.control.pointee.aio_reqprio, 0)
    try pipe.drain(SmallPipe.blockingByteCount)
    // The write cannot finish before somebody reads, and still the sync does.
    try sync.waitUntilFinished()
    XCTAssertEqual(write.error, EINPROGRESS)
    try pipe.drain(SmallPipe.blockingByteCount)
    for operation in [blocked, write] { try operation.waitUntilFinished() }
  }

  func test_syncRunsBehindAWriteOfPriorityZero() throws {
    let pipe = try SmallPipe()
    let blocked = try startBlockedWrite(to: pipe)
    let write = RawOperation(pipe.writeEnd, byteCount: SmallPipe.blockingByteCount)
    try write.write()
    let sync = RawOperation(pipe.writeEnd)
    try sync.sync()
    try pipe.drain(SmallPipe.blockingByteCount)
    // The write runs now.
    try pipe.waitUntilReadable()
    XCTAssertEqual(sync.error, EINPROGRESS)
    try pipe.drain(SmallPipe.blockingByteCount)
    for operation in [blocked, write, sync] { try operation.waitUntilFinished() }
  }

  /// The marker that follows a sync is built on it.
  func test_emptyReadRunsBehindASyncOfTheSameDescriptor() throws {
    let saturation = try saturateHelpers()
    let file = try file("abc")
    let sync = RawOperation(file)
    try sync.sync()
    let syncMarker = RawOperation(file)
    try unsafe syncMarker.list(Int(LIO_READ), event: .silent)
    try saturation.add()
    try saturation.releaseOne()
    // The helper ran the sync and took the next descriptor's turn: the read has to wait for its
    // own.
    try saturation.waitUntilAddedOneRuns()
    XCTAssertEqual(sync.error, 0)
    XCTAssertEqual(syncMarker.error, EINPROGRESS)
    try saturation.release()
    try syncMarker.waitUntilFinished()
    XCTAssertEqual(syncMarker.result, 0)
  }

  /// Why a descriptor stays open until the last operation on it is finished.
  func test_queuedWriteGoesToWhateverFileGetsTheNumber() throws {
    let saturation = try saturateHelpers()
    let file = try folder.open("file")
    let write = RawOperation(file, Array("abc".utf8))
    try write.write()
    try file.close()
    let other = try folder.open("other")
    defer { try? other.close() }
    try XCTSkipUnless(other.rawValue == file.rawValue, "the number went elsewhere")
    try saturation.release()
    try write.waitUntilFinished()
    XCTAssertEqual(write.result, 3)
    XCTAssertEqual(try text(), "")
    XCTAssertEqual(try text(of: "other"), "abc")
  }

  private func startBlockedWrite(to pipe: SmallPipe) throws -> RawOperation {
    let write = RawOperation(pipe.writeEnd, byteCount: SmallPipe.blockingByteCount)
    try write.write()
    try pipe.waitUntilReadable()
    return write
  }
}
