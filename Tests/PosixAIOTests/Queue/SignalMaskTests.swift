import CPosixAIO
import Glibc
import TestSupport
import XCTest

@testable import PosixAIO

/// A queue blocks its signal on its thread, and each thread's mask comes back as it was, by that
/// thread.
final class SignalMaskTests: XCTestCase {
  private let number = caio_sigrtmin() + 6

  private func makeQueue() throws -> CompletionQueue {
    try CompletionQueue(configuration: .with { $0.signal = number })
  }

  private var isBlocked: Bool {
    var blocked = sigset_t()
    XCTAssertEqual(unsafe pthread_sigmask(SIG_BLOCK, nil, &blocked), 0)
    return unsafe sigismember(&blocked, number) == 1
  }

  private func change(_ how: Int32) {
    var set = sigset_t()
    unsafe sigemptyset(&set)
    unsafe sigaddset(&set, number)
    XCTAssertEqual(unsafe pthread_sigmask(how, &set, nil), 0)
  }

  func test_signalIsUnblockedWhereTheQueueWasMade_whenItGoesThere() throws {
    XCTAssertFalse(isBlocked)
    do {
      let queue = try makeQueue()
      withExtendedLifetime(queue) { XCTAssertTrue(isBlocked) }
    }
    XCTAssertFalse(isBlocked)
  }

  func test_signalStaysBlocked_whereItWasSoBefore() throws {
    change(SIG_BLOCK)
    defer { change(SIG_UNBLOCK) }
    do {
      let queue = try makeQueue()
      queue.leaveCurrentThread()
      XCTAssertTrue(isBlocked)
      queue.moveToCurrentThread()
    }
    XCTAssertTrue(isBlocked)
  }

  func test_threadThatHadTheSignalBlockedKeepsItSo_whenAQueueOfAnotherGoesThere() throws {
    var queue: CompletionQueue? = try makeQueue()
    try OtherThread.run { [self] in
      change(SIG_BLOCK)
      queue = nil
      XCTAssertTrue(isBlocked)
    }
    XCTAssertNil(queue)
    // No thread can change the mask of another, so it is left here, and the next queue's end
    // mends it.
    XCTAssertTrue(isBlocked)
    withExtendedLifetime(try makeQueue()) {}
    XCTAssertFalse(isBlocked)
  }

  func test_masksComeBackOnBothThreads_whenAQueueMoves() throws {
    let folder = try TemporaryDirectory()
    let ledger = Ledger()
    let queue = try makeQueue()
    let file = AIOFile(try folder.open("file"), queue: queue)
    queue.leaveCurrentThread()
    XCTAssertFalse(isBlocked)
    try OtherThread.run { [self] in
      XCTAssertFalse(isBlocked)
      queue.moveToCurrentThread()
      queue.moveToCurrentThread()
      XCTAssertTrue(isBlocked)
      expectSuccess {
        try file.write(IOBuffer(copying: [1]), at: 0, ledger.transfer())
        try queue.runUntilIdle()
      }
      queue.leaveCurrentThread()
      XCTAssertFalse(isBlocked)
    }
    queue.moveToCurrentThread()
    XCTAssertTrue(isBlocked)
    try file.write(IOBuffer(copying: [2]), at: 1, ledger.transfer())
    try queue.runUntilIdle()
    XCTAssertEqual(ledger.entries, [[.moved(1)], [.moved(1)]])
  }

  func test_completionsArrive_afterTheThreadWasLeftForNone() throws {
    let folder = try TemporaryDirectory()
    let ledger = Ledger()
    let queue = try CompletionQueue(
      configuration: .with {
        $0.signal = number
        $0.disableBackstop()
      })
    let file = AIOFile(try folder.open("file"), queue: queue)
    queue.leaveCurrentThread()
    try file.write(IOBuffer(copying: [1]), at: 0, ledger.transfer())
    try queue.runUntilIdle()
    XCTAssertEqual(ledger.entries, [[.moved(1)]])
    XCTAssertEqual(queue.statistics.strayCount, 1)
  }
}
