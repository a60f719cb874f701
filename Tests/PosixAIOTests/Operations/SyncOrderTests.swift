import Glibc
import PosixAIO
import SystemPackage
import XCTest

/// A sync is a promise about the writes before it; glibc lets it overtake those of lower priority.
final class SyncOrderTests: OperationTestCase {
  func test_syncIsRefused_whileAWriteOfLowerPriorityIsQueued() throws {
    let saturation = try saturateHelpers()
    let file = try file("abc")
    let write = AIOWrite(file, offset: 0, IOBuffer("ABC"), priority: 1)
    try write.submit()
    let sync = AIOFsync(file)
    assertThrows(.resourceBusy, try sync.submit())
    XCTAssertFalse(sync.isInProgress)
    // On another descriptor it is no concern of the write's.
    let other = AIOFsync(try open("other", options: .create))
    try other.submit()
    try saturation.release()
    try other.waitForResult()
    XCTAssertEqual(try write.waitForResult(), 3)
    try sync.submit()
    try sync.waitForResult()
  }

  func test_syncIsRefused_whileADroppedWriteOfLowerPriorityIsQueued() throws {
    let saturation = try saturateHelpers()
    let file = try file("abc")
    try AIOWrite(file, offset: 0, IOBuffer("ABC"), priority: 1).submit()
    let sync = AIOFsync(file)
    assertThrows(.resourceBusy, try sync.submit())
    try saturation.release()
    // An operation behind the dropped one is finished after it.
    let read = AIORead(file, offset: 0, into: IOBuffer(capacity: 3), priority: 20)
    try read.submit()
    XCTAssertEqual(try read.waitForResult(), 3)
    try sync.submit()
    try sync.waitForResult()
  }

  func test_syncIsAccepted_whileAReadOfLowerPriorityIsQueued() throws {
    let saturation = try saturateHelpers()
    let file = try file("abc")
    let read = AIORead(file, offset: 0, into: IOBuffer(capacity: 3), priority: 1)
    let sync = AIOFsync(file)
    try read.submit()
    try sync.submit()
    try saturation.release()
    try sync.waitForResult()
    XCTAssertEqual(try read.waitForResult(), 3)
  }

  func test_syncRunsBehindTheWritesBeforeIt() throws {
    let pipe = try SmallPipe()
    let bytes = [UInt8](repeating: 0, count: SmallPipe.blockingByteCount)
    let writes = (0..<2).map { _ in
      AIOWrite(pipe.writeEnd, offset: 0, IOBuffer(copying: bytes))
    }
    // A pipe cannot be synced, which the sync says when it is its turn.
    let sync = AIOFsync(pipe.writeEnd)
    for write in writes { try write.submit() }
    try sync.submit()
    try pipe.drain(bytes.count)
    XCTAssertEqual(try writes[0].waitForResult(), bytes.count)
    XCTAssertEqual(sync.error(), .nowInProgress)
    try pipe.waitUntilReadable()
    XCTAssertEqual(sync.error(), .nowInProgress, "the second write runs before it")
    try pipe.drain(bytes.count)
    XCTAssertEqual(try writes[1].waitForResult(), bytes.count)
    assertThrows(.invalidArgument, try sync.waitForResult())
  }

  func test_signalOfASyncComesAfterItsEnd() throws {
    let recorder = try SignalRecorder(SIGUSR2)
    let saturation = try saturateHelpers()
    let sync = AIOFsync(
      try file("abc"), notification: .signal(number: SIGUSR2, value: 1))
    try sync.submit()
    try saturation.add()
    try saturation.releaseOne()
    // One helper runs the sync and takes the next write before the signal's turn comes.
    try saturation.waitUntilAddedOneRuns()
    try sync.waitForResult()
    XCTAssertEqual(try recorder.rest(), [])
    try saturation.release()
    XCTAssertEqual(try recorder.next().value, 1)
  }

  func test_syncMayBeSubmittedAgain_beforeItsSignalHasCome() throws {
    // A real-time signal: two that are pending are not merged.
    let recorder = try SignalRecorder(40)
    let saturation = try saturateHelpers()
    let sync = AIOFsync(
      try file("abc"), notification: .signal(number: 40, value: 1))
    try sync.submit()
    try saturation.add()
    try saturation.releaseOne()
    try saturation.waitUntilAddedOneRuns()
    try sync.waitForResult()
    sync.notification = .signal(number: 40, value: 2)
    try sync.submit()
    try saturation.release()
    // Two threads may take one each, in any order.
    let values = [try recorder.next().value, try recorder.next().value]
    XCTAssertEqual(values.sorted(), [1, 2])
    try sync.waitForResult()
  }
}
