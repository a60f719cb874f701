import Glibc
import Reactor
import SystemPackage
import Synchronization
import TestSupport
import XCTest

final class EventLoopTests: XCTestCase {
  // MARK: Running

  func test_stopBeforeRunMakesRunReturnAtOnce() throws {
    let loop = try EventLoop()
    loop.stop()
    loop.runUntilStopped()
  }

  func test_loopCanRunAgain() throws {
    let loop = try EventLoop()
    var turns = 0
    for _ in 0..<3 {
      loop.schedule(after: .zero) {
        turns += 1
        loop.stop()
      }
      loop.runUntilStopped()
    }
    XCTAssertEqual(turns, 3)
  }

  // MARK: Timers

  func test_timersFireInTheOrderOfTheirTimes() throws {
    let loop = try EventLoop()
    var fired: [Int] = []
    loop.schedule(after: .milliseconds(30)) {
      fired.append(30)
      loop.stop()
    }
    loop.schedule(after: .milliseconds(1)) { fired.append(1) }
    loop.schedule(after: .milliseconds(15)) { fired.append(15) }
    loop.runUntilStopped()
    XCTAssertEqual(fired, [1, 15, 30])
  }

  func test_timerIsNeverEarly() throws {
    let loop = try EventLoop()
    let start = ContinuousClock.now
    loop.schedule(after: .milliseconds(5)) { loop.stop() }
    loop.runUntilStopped()
    XCTAssertGreaterThanOrEqual(ContinuousClock.now - start, .milliseconds(5))
  }

  func test_cancelledTimerNeverFires_alsoWhenItsTimeHadCome() throws {
    let loop = try EventLoop()
    var timers: [EventLoop.Timer] = []
    var fired = 0
    // Both are due in the same turn; the first to run cancels the other.
    for _ in 0..<2 {
      timers.append(
        loop.schedule(after: .milliseconds(1)) {
          fired += 1
          for timer in timers { timer.cancel() }
        })
    }
    // Not a wait for them: a loop whose timers are both due by now.
    let due = ContinuousClock.now + .milliseconds(2)
    while .now < due {}
    loop.schedule(after: .milliseconds(1)) { loop.stop() }
    loop.runUntilStopped()
    XCTAssertEqual(fired, 1)
    XCTAssertFalse(timers.contains { $0.isScheduled })
  }

  func test_repeatingTimerFiresUntilItIsCancelled() throws {
    let loop = try EventLoop()
    var count = 0
    var timer: EventLoop.Timer?
    timer = loop.schedule(every: .milliseconds(1)) {
      count += 1
      guard count == 5 else { return }
      timer?.cancel()
      loop.schedule(after: .milliseconds(5)) { loop.stop() }
    }
    loop.runUntilStopped()
    XCTAssertEqual(count, 5)
  }

  func test_timerOutlivesItsLoopHarmlessly() throws {
    var loop: EventLoop? = try EventLoop()
    let timer = loop?.schedule(after: .seconds(1)) { XCTFail("its loop is gone") }
    loop = nil
    XCTAssertEqual(timer?.isScheduled, false)
    timer?.cancel()
  }

  // MARK: Signals

  func test_watchedSignalsCallBack_andACancelledWatchDoesNot() throws {
    let loop = try EventLoop()
    var seen: [POSIXSignal] = []
    let first = loop.watch(.user1) { seen.append(.user1) }
    let second = loop.watch(.user2) {
      seen.append(.user2)
      first.cancel()
      loop.stop()
    }
    defer { second.cancel() }
    loop.schedule(after: .zero) {
      kill(getpid(), SIGUSR1)
      kill(getpid(), SIGUSR2)
    }
    loop.runUntilStopped()
    XCTAssertEqual(seen.sorted { $0.rawValue < $1.rawValue }, [.user1, .user2])
  }

  // MARK: Other threads

  func test_callsOfOtherThreadsRunOnTheLoopInOrder() throws {
    let loop = try EventLoop()
    let remote = loop.remote
    let numbers = Mutex<[Int]>([])
    let thread = pthread_self()
    let count = 1000
    loop.offload {
      for number in 0..<count {
        remote.execute { _ in
          XCTAssertNotEqual(pthread_equal(thread, pthread_self()), 0)
          numbers.withLock { $0.append(number) }
        }
      }
      remote.execute { $0.stop() }
    } _: { _ in
    }
    loop.runUntilStopped()
    XCTAssertEqual(numbers.withLock { $0 }, Array(0..<count))
  }

  func test_callIsRefused_whenTheLoopIsGone() throws {
    let remote = try EventLoop().remote
    XCTAssertFalse(remote.execute { _ in XCTFail("there is no loop") })
  }

  func test_offloadedWorkRunsElsewhereUpToTheLimit_andCompletesHere() throws {
    var configuration = EventLoop.Configuration()
    configuration.offloadThreadLimit = 3
    let loop = try EventLoop(configuration: configuration)
    let running = Mutex((now: 0, most: 0))
    let thread = pthread_self()
    var completions = 0
    for _ in 0..<50 {
      loop.offload {
        running.withLock {
          $0.now += 1; $0.most = max($0.most, $0.now)
        }
        defer { running.withLock { $0.now -= 1 } }
        return pthread_equal(thread, pthread_self()) == 0
      } _: { isElsewhere in
        XCTAssertEqual(isElsewhere, .success(true))
        completions += 1
        if completions == 50 { loop.stop() }
      }
    }
    loop.runUntilStopped()
    XCTAssertEqual(completions, 50)
    XCTAssertLessThanOrEqual(running.withLock { $0.most }, 3)
  }

  func test_offloadedWorkIsDone_whenNoThreadMayStart() throws {
    let outcome = try Program.run("NoHelpers", ["offload"])
    if outcome.output.hasPrefix("skip") { throw XCTSkip(outcome.output) }
    XCTAssertEqual(outcome.status, 0, outcome.errors)
    XCTAssertEqual(outcome.output, "ok\n")
  }

  // MARK: Hygiene

  func test_descriptorsComeBack_whenALoopGoes() throws {
    let before = try openDescriptors()
    for _ in 0..<3 {
      let loop = try EventLoop()
      loop.watch(.user1) {}
      loop.schedule(every: .seconds(1)) {}
      Directory.open("/tmp", on: loop) { _ in loop.stop() }
      loop.runUntilStopped()
    }
    XCTAssertEqual(try openDescriptors(), before)
  }
}
