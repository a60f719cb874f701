import PosixAIO
import Reactor
import SystemPackage
import TestSupport
import XCTest

final class FileLockTests: XCTestCase {
  /// Two open files of one path.
  private func pair() throws -> (EventLoop, File, File) {
    let (folder, loop) = (try TemporaryDirectory(), try EventLoop())
    let path = folder.path.appending("file")
    return (loop, try loop.open(path), try loop.open(path))
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

  /// Takes the lock as soon as the one who gave up has released it.
  private func takeOver(_ loop: EventLoop, _ file: File) throws -> Bool {
    try loop.value { file.lock(.exclusive, $0) }
    return true
  }
}
