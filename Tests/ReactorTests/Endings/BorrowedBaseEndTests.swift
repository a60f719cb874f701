import CLibevent
import Glibc
import PosixAIO
import SystemPackage
import TestSupport
import XCTest

@testable import Reactor

/// A borrowed base is as it was when the loop has gone.
final class BorrowedBaseEndTests: XCTestCase {
  private typealias Fork = @convention(c) () -> pid_t

  /// A child of fork(2) keeps what the parent closes open, so an event must leave the base before
  /// its descriptor is closed.
  func test_aBaseRestsAfterItsLoopHasEndedWhileAChildLives() throws {
    let symbol = try unsafe XCTUnwrap(dlsym(nil, "fork"))
    let fork = unsafe unsafeBitCast(symbol, to: Fork.self)
    let base = try unsafe XCTUnwrap(event_base_new())
    var ends: [Int32] = [0, 0]
    unsafe XCTAssertEqual(pipe(&ends), 0)
    let orphanCount = Orphanage.operationCount
    var loop: EventLoop? = try unsafe EventLoop(borrowing: base)
    // Something in flight, for which the queue's timer is armed.
    let file = try AIOFile(
      FileDescriptor(rawValue: ends[0]), queue: XCTUnwrap(loop?.queue))
    try file.read(into: IOBuffer(capacity: 1), at: 0) { _, _ in }
    loop?.runOnce()
    let child = fork()
    if child == 0 {
      while true { pause() }
    }
    defer {
      kill(child, SIGKILL)
      waitpid(child, nil, 0)
      Glibc.close(ends[1])
      // What the read keeps open must not end in a later test, which may count descriptors.
      expectNoThrow {
        try repeatUntil("the read has ended") {
          Orphanage.sweep()
          return Orphanage.operationCount <= orphanCount
        }
      }
      Glibc.close(ends[0])
    }
    loop = nil
    var time = timeval(tv_sec: 1, tv_usec: 0)
    let before = threadTime()
    unsafe event_base_loopexit(base, &time)
    unsafe event_base_loop(base, EVLOOP_NO_EXIT_ON_EMPTY)
    XCTAssertLessThan(threadTime() - before, .milliseconds(300), "the base spins")
    unsafe event_base_free(base)
  }

  /// The processor time of this thread: other tests may have left threads that are busy.
  private func threadTime() -> Duration {
    var time = timespec()
    unsafe clock_gettime(CLOCK_THREAD_CPUTIME_ID, &time)
    return .seconds(time.tv_sec) + .nanoseconds(time.tv_nsec)
  }

  func test_aLoopThatIsDroppedInACallbackLeavesNothingInTheBase() throws {
    let base = try unsafe XCTUnwrap(event_base_new())
    var loop: EventLoop? = try unsafe EventLoop(borrowing: base)
    var completedCount = 0
    loop?.schedule(after: .milliseconds(1)) {
      loop?.offload({ 1 }) { _ in completedCount += 1 }
      loop?.nextTurn { completedCount += 1 }
      loop = nil
    }
    unsafe event_base_dispatch(base)
    XCTAssertEqual(completedCount, 2)
    XCTAssertEqual(unsafe event_base_get_num_events(base, UInt32(EVENT_BASE_COUNT_ADDED)), 0)
    unsafe event_base_free(base)
  }
}
