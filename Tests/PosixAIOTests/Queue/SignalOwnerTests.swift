import CFaults
import CPosixAIO
import Glibc
import SystemPackage
import TestSupport
import XCTest

@testable import PosixAIO

/// Whose a signal is: of a queue, of operations that a queue has left in glibc, and not of a child.
/// Tests/Fixtures/Mailbox has the handler's races.
final class SignalOwnerTests: XCTestCase {
  private let number = caio_sigrtmin() + 5

  /// What a signal does where it is not blocked.
  private var handler: sigaction {
    var action = sigaction()
    XCTAssertEqual(unsafe sigaction(number, nil, &action), 0)
    return action
  }

  private var isIgnored: Bool {
    let present = unsafe unsafeBitCast(handler.__sigaction_handler.sa_handler, to: Int.self)
    let ignored = unsafe unsafeBitCast(SIG_IGN, to: Int.self)
    return present == ignored
  }

  private var isDefault: Bool { unsafe handler.__sigaction_handler.sa_handler == nil }

  private func makeQueue() throws -> CompletionQueue {
    try CompletionQueue(configuration: .with { $0.signal = number })
  }

  private func leaveOrphan() throws {
    try CompletionSignal(number).release(leavesOrphans: true)
  }

  func test_signalStaysIgnored_untilTheLastOperationThatWasLeftInGlibcHasEnded() throws {
    try leaveOrphan()
    XCTAssertTrue(isIgnored)
    // It would end the process by default.
    XCTAssertEqual(raise(number), 0)
    CompletionSignal.lastOrphanEnded(ofSignal: number)
    XCTAssertTrue(isDefault)
  }

  func test_numberIsFreeForAnotherQueue_whileOperationsOfTheFormerOneAreLeft() throws {
    let folder = try TemporaryDirectory()
    try leaveOrphan()
    try leaveOrphan()
    for _ in 0..<3 {
      let ledger = Ledger()
      let queue = try makeQueue()
      let file = AIOFile(try folder.open("file"), queue: queue)
      // The late signal of what was left, with a groupID of the queue that is gone.
      XCTAssertEqual(cfaults_announce(number, 1 << 32), 0)
      try file.write(IOBuffer(copying: [1]), at: 0, ledger.transfer())
      try queue.runUntilIdle()
      XCTAssertEqual(ledger.entries, [[.moved(1)]])
    }
    XCTAssertTrue(isIgnored)
    CompletionSignal.lastOrphanEnded(ofSignal: number)
    XCTAssertTrue(isIgnored)
    CompletionSignal.lastOrphanEnded(ofSignal: number)
    XCTAssertTrue(isDefault)
  }

  func test_ownerPutsTheDefaultBack_whenTheLastOperationEndsUnderIt() throws {
    try leaveOrphan()
    let queue = try makeQueue()
    withExtendedLifetime(queue) { CompletionSignal.lastOrphanEnded(ofSignal: number) }
    _ = consume queue
    XCTAssertTrue(isDefault)
  }

  func test_numberThatTheProgramIgnoresItselfIsRefused() throws {
    signal(number, SIG_IGN)
    defer { signal(number, SIG_DFL) }
    XCTAssertThrowsError(try makeQueue()) { XCTAssertEqual($0 as? Errno, .resourceBusy) }
    XCTAssertTrue(isIgnored)
  }

  func test_handlerRunsOnTheStackForSignals_andRestartsCalls() throws {
    let queue = try makeQueue()
    withExtendedLifetime(queue) {
      let flags = Int(handler.sa_flags)
      XCTAssertEqual(flags & Int(SA_ONSTACK), Int(SA_ONSTACK))
      XCTAssertEqual(flags & Int(SA_RESTART), Int(SA_RESTART))
    }
  }

  func test_signalOfAForkedChildDoesNotReachItsParentsQueue() throws {
    let queue = try makeQueue()
    queue.leaveCurrentThread()
    let seconds = UInt32(testDeadline.components.seconds)
    let child = unsafe cfaults_fork(
      { _ in
        // The handler runs here, before raise returns.
        raise(caio_sigrtmin() + 5)
      }, nil, seconds)
    XCTAssertGreaterThan(child, 0)
    var status: Int32 = -1
    while unsafe waitpid(child, &status, 0) < 0, errno == EINTR {}
    XCTAssertEqual(status, 0)
    XCTAssertFalse(queue.isReadable)
    XCTAssertEqual(queue.statistics.strayCount, 0)
    // The same in this process does.
    XCTAssertEqual(raise(number), 0)
    XCTAssertTrue(queue.isReadable)
    XCTAssertEqual(queue.statistics.strayCount, 1)
  }

  func test_fullPipeIsLookedAt_andFallsSilent() throws {
    let queue = try makeQueue()
    queue.leaveCurrentThread()
    // More than a pipe takes.
    for _ in 0..<10_000 { XCTAssertEqual(raise(number), 0) }
    var drainCount = 0
    while queue.isReadable, drainCount < 100 {
      queue.drain()
      drainCount += 1
    }
    XCTAssertLessThan(drainCount, 100)
    XCTAssertFalse(caio_signal_take_overflow(number), "asked where the pipe was read")
    XCTAssertEqual(queue.statistics.strayCount, 10_000)
  }
}
