import SystemPackage
import TestSupport
import XCTest

@testable import PosixAIO
@testable import Reactor

final class FileLockTests: XCTestCase {
  /// Two open files of one path.
  private func pair() throws -> (EventLoop, File, File) {
    let (loop, first, second, _) = try three()
    return (loop, first, second)
  }

  /// Three open files of one path, and a loop with one thread for file calls.
  private func three() throws -> (EventLoop, File, File, File) {
    var configuration = EventLoop.Configuration()
    configuration.offloadThreadLimit = 1
    let (folder, loop) = (try TemporaryDirectory(), try EventLoop(configuration: configuration))
    let path = folder.path.appending("file")
    return (loop, try loop.open(path), try loop.open(path), try loop.open(path))
  }

  func test_exclusiveLockKeepsOthersOut_andSharedOnesDoNotKeepSharedOnesOut() throws {
    let (loop, first, second) = try pair()
    XCTAssertTrue(try loop.value { first.tryLock(.shared, $0) })
    XCTAssertTrue(try loop.value { second.tryLock(.shared, $0) })
    XCTAssertFalse(try loop.value { second.tryLock(.exclusive, $0) })
    try loop.value { first.unlock($0) }
    XCTAssertTrue(try loop.value { second.tryLock(.exclusive, $0) })
    XCTAssertFalse(try loop.value { first.tryLock(.shared, $0) })
  }

  func test_rangesAreLockedApart() throws {
    let (loop, first, second) = try pair()
    XCTAssertTrue(try loop.value { first.tryLock(.exclusive, in: 0..<10, $0) })
    XCTAssertTrue(try loop.value { second.tryLock(.exclusive, in: 10..<20, $0) })
    XCTAssertFalse(try loop.value { second.tryLock(.exclusive, in: 9..<10, $0) })
    XCTAssertFalse(try loop.value { second.tryLock(.exclusive, $0) })
  }

  func test_closeReleasesTheLock_thoughTheFileHadLanes() throws {
    let (loop, first, second) = try pair()
    XCTAssertTrue(try loop.value { first.tryLock(.exclusive, $0) })
    // A sync opens a duplicate of the descriptor.
    try loop.value { first.sync($0) }
    XCTAssertFalse(try loop.value { second.tryLock(.exclusive, $0) })
    try loop.close(first)
    XCTAssertTrue(try loop.value { second.tryLock(.exclusive, $0) })
  }

  func test_lockThatTheModeDoesNotAllowFails() throws {
    let (folder, loop) = (try TemporaryDirectory(), try EventLoop())
    let path = folder.path.appending("file")
    let file = try loop.open(path, .writeOnly)
    XCTAssertEqual(
      try loop.error { file.tryLock(.shared, in: 3..<5, $0) },
      FileError(operation: .lock, path: path, offset: 3, errno: .badFileDescriptor))
  }

  func test_waitersGetTheLockWhenItIsReleased_andLeaveTheHelpersAlone() throws {
    var configuration = EventLoop.Configuration()
    configuration.offloadThreadLimit = 1
    let (folder, loop) = (try TemporaryDirectory(), try EventLoop(configuration: configuration))
    let path = folder.path.appending("file")
    let owner = try loop.open(path)
    XCTAssertTrue(try loop.value { owner.tryLock(.exclusive, $0) })
    let others = try (0..<16).map { _ in try loop.open(path) }
    var granted = 0
    for other in others {
      other.lock(.shared) { result in
        if case .failure(let error) = result { XCTFail("\(error)") }
        granted += 1
        if granted == 16 { loop.stop() }
      }
    }
    // All that may wait do, and the one helper still has time for this.
    let late = try loop.open(path)
    let refusal = try loop.error { late.lock(.shared, $0) }
    XCTAssertEqual(refusal.errno, .resourceTemporarilyUnavailable)
    XCTAssertFalse(try loop.value { late.tryLock(.shared, $0) })
    XCTAssertEqual(granted, 0)
    owner.unlock()
    loop.runUntilStopped()
    XCTAssertEqual(granted, 16)
    try loop.close(late)
    for other in others { try loop.close(other) }
  }

  func test_requestThatIsGivenUpCompletesOnce_andLeavesNoLock() throws {
    let (loop, first, second) = try pair()
    XCTAssertTrue(try loop.value { first.tryLock(.exclusive, $0) })
    XCTAssertEqual(
      try loop.error { second.lock(.exclusive, timeout: .milliseconds(1), $0) },
      FileError(operation: .lock, path: second.path, offset: 0, errno: .timedOut))
    try loop.value { first.unlock($0) }
    // It was taken after all, and released.
    XCTAssertEqual(try takeOver(loop, first), true)
    XCTAssertEqual(
      try loop.error { done in second.lock(.exclusive, in: 5..<9, done).cancel() },
      FileError(operation: .lock, path: second.path, offset: 5, errno: .canceled))
    var isClosed = false
    second.close { _ in isClosed = true }
    XCTAssertFalse(isClosed)
    try loop.value { first.unlock($0) }
    loop.wait { isClosed }
  }

  func test_requestThatIsGivenUpLeavesTheLockThatTheFileGotMeanwhile() throws {
    let (loop, first, second, third) = try three()
    // The kernel grants both requests of the second file at about the same time.
    for _ in 0..<20 {
      try loop.value { first.lock(.exclusive, $0) }
      XCTAssertEqual(
        try loop.error { second.lock(.exclusive, timeout: .milliseconds(1), $0) }.errno, .timedOut)
      var isGranted = false
      second.lock(.exclusive) { isGranted = $0.errno == nil }
      try loop.value { first.unlock($0) }
      loop.wait { isGranted }
      try settle(loop, second)
      XCTAssertFalse(try loop.value { third.tryLock(.shared, $0) })
      try loop.value { second.unlock($0) }
    }
  }

  func test_requestThatIsGivenUpLeavesTheLockThatTheFileHad() throws {
    let (loop, first, second, third) = try three()
    XCTAssertTrue(try loop.value { first.tryLock(.shared, in: 0..<100, $0) })
    XCTAssertTrue(try loop.value { second.tryLock(.shared, in: 10..<50, $0) })
    XCTAssertTrue(try loop.value { second.tryLock(.exclusive, in: 200..<300, $0) })
    XCTAssertEqual(
      try loop.error { second.lock(.exclusive, timeout: .milliseconds(1), $0) }.errno, .timedOut)
    // Given up, it is granted now.
    try loop.value { first.unlock($0) }
    try settle(loop, second)
    let others: [(File.LockKind, Range<Int64>?, Bool)] = [
      (.shared, 0..<200, true), (.exclusive, 0..<10, true), (.exclusive, 10..<11, false),
      (.exclusive, 49..<50, false), (.exclusive, 50..<200, true), (.shared, 200..<201, false),
      (.shared, 299..<300, false), (.exclusive, 300..<Int64.max, true),
    ]
    for (kind, range, isFree) in others {
      let isTaken = try loop.value { third.tryLock(kind, in: range, $0) }
      XCTAssertEqual(isTaken, isFree, "\(kind) \(String(describing: range))")
      try loop.value { third.unlock($0) }
    }
  }

  func test_unlockReleasesALock_thatWasGrantedAfterARequestThatIsGivenUp() throws {
    let (loop, first, second) = try pair()
    try loop.value { first.lock(.exclusive, $0) }
    XCTAssertEqual(
      try loop.error { second.lock(.shared, timeout: .milliseconds(1), $0) }.errno, .timedOut)
    var isGranted = false
    second.lock(.exclusive, in: 5..<10) { isGranted = $0.errno == nil }
    try loop.value { first.unlock($0) }
    loop.wait { isGranted }
    try loop.value { second.unlock(in: 5..<10, $0) }
    try settle(loop, second)
    XCTAssertTrue(try loop.value { first.tryLock(.exclusive, $0) })
  }

  /// Waits until the requests of a file that were given up have been granted and taken back: a
  /// close waits for that, and so does a call after it on another file.
  private func settle(_ loop: EventLoop, _ file: File) throws {
    loop.wait { file.queued.lentCount == 0 }
    // The release that the last of them started is on the only thread of such calls.
    try loop.value { file.status($0) }
  }

  /// Takes the lock as soon as the one who gave up has released it.
  private func takeOver(_ loop: EventLoop, _ file: File) throws -> Bool {
    try loop.value { file.lock(.exclusive, $0) }
    return true
  }
}
