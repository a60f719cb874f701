import Glibc
import PosixAIO
import Reactor
import Synchronization
import SystemPackage
import TestSupport
import XCTest

/// An actor that lives on a loop's thread.
private actor LoopActor {
  private let executor: EventLoop.Executor
  private(set) var values: [Int] = []
  private let thread: pthread_t

  nonisolated var unownedExecutor: UnownedSerialExecutor {
    unsafe executor.asUnownedSerialExecutor()
  }

  /// - Parameter executor: Of the calling thread's loop.
  init(_ executor: EventLoop.Executor) {
    self.executor = executor
    thread = pthread_self()
  }

  func append(_ value: Int) -> Bool {
    values.append(value)
    return isHere(thread)
  }

  func appendAfterHop(_ value: Int) async -> Bool {
    let thread = thread
    let wasHere = await Task.detached { isHere(thread) }.value
    return append(value) && !wasHere
  }

  nonisolated func assumeCount() -> Int {
    assumeIsolated { $0.values.count }
  }
}

private func isHere(_ thread: pthread_t) -> Bool { pthread_equal(thread, pthread_self()) != 0 }

final class ExecutorTests: XCTestCase {
  private let here = pthread_self()

  // MARK: Actors

  func test_actorRunsOnTheLoop_andComesBackAfterAHop() throws {
    let loop = try EventLoop()
    let actor = LoopActor(loop.executor)
    let results = loop.run { _ in
      [await actor.append(1), await actor.appendAfterHop(2), await actor.append(3)]
    }
    XCTAssertEqual(results, [true, true, true])
  }

  func test_actorIsReachedFromOtherThreads() throws {
    let loop = try EventLoop()
    let actor = LoopActor(loop.executor)
    let done = Mutex(false)
    let remote = loop.remote
    Task.detached {
      for number in 0..<100 {
        let isOnLoop = await actor.append(number)
        XCTAssertTrue(isOnLoop)
      }
      done.withLock { $0 = true }
      remote.execute { $0.stop() }
    }
    loop.runUntilStopped()
    XCTAssertTrue(done.withLock { $0 })
    XCTAssertEqual(loop.run { _ in await actor.values }, Array(0..<100))
  }

  func test_callbackMayAssumeTheActorsIsolation() throws {
    let loop = try EventLoop()
    let actor = LoopActor(loop.executor)
    var count: Int?
    loop.schedule(after: .zero) {
      count = actor.assumeCount()
      loop.stop()
    }
    loop.runUntilStopped()
    XCTAssertEqual(count, 0)
  }

  func test_executorKnowsItsThread() throws {
    let executor = try EventLoop().executor
    let loop = try EventLoop()
    XCTAssertEqual(loop.executor.isIsolatingCurrentContext(), true)
    XCTAssertEqual(executor.isIsolatingCurrentContext(), false, "its loop is gone")
    let remoteExecutor = loop.executor
    try OtherThread.run {
      XCTAssertEqual(remoteExecutor.isIsolatingCurrentContext(), false)
    }
  }

  // MARK: Tasks

  func test_taskNeverStartsInsideTheCall_andTasksStartInOrder() throws {
    let loop = try EventLoop()
    var order: [Int] = []
    for number in 0..<10 {
      loop.startTask {
        order.append(number)
        await Task.yield()
        order.append(number + 10)
        if order.count == 20 { loop.stop() }
      }
    }
    XCTAssertEqual(order, [])
    loop.runUntilStopped()
    XCTAssertEqual(order, Array(0..<20))
  }

  func test_childTasksStayOnTheLoop() throws {
    let here = here
    let places = try EventLoop.run { _ in
      async let first = isHere(here)
      let group = await withTaskGroup(of: Bool.self) { group in
        for _ in 0..<3 {
          group.addTask {
            await Task.yield()
            return isHere(here)
          }
        }
        return await group.reduce(into: []) { $0.append($1) }
      }
      return [await first] + group
    }
    XCTAssertEqual(places, [true, true, true, true])
  }

  func test_unstructuredTaskRunsOnTheLoop_whenItPrefersIt() throws {
    let here = here
    let places = try EventLoop.run { loop in
      let preferring = Task(executorPreference: loop.executor) { isHere(here) }
      let other = Task { isHere(here) }
      return [await preferring.value, await other.value]
    }
    XCTAssertEqual(places, [true, false])
  }

  func test_valueAndErrorOfABodyComeOutOfRun() throws {
    XCTAssertEqual(try EventLoop.run { _ in 42 }, 42)
    XCTAssertThrowsError(try EventLoop.run { _ in throw Errno.ioError }) {
      XCTAssertEqual($0 as? Errno, .ioError)
    }
  }

  func test_stopCancelsTheBodyOfRun_whichThenReturns() throws {
    let loop = try EventLoop()
    loop.schedule(after: .zero) { loop.stop() }
    let wasCancelled = loop.run { _ in
      try? await Task.sleep(for: testDeadline)
      return Task.isCancelled
    }
    XCTAssertTrue(wasCancelled)
  }

  func test_taskThatYieldsForEverLeavesTimersAndCallsTheirTurn() throws {
    let loop = try EventLoop()
    var ticks = 0
    let calls = Mutex(0)
    loop.schedule(every: .milliseconds(1)) { ticks += 1 }
    loop.remote.execute { _ in calls.withLock { $0 += 1 } }
    loop.run { _ in
      while ticks < 5 { await Task.yield() }
    }
    XCTAssertEqual(calls.withLock { $0 }, 1)
  }

  func test_taskThatIsReadyWhenTheLoopIsGoneIsRunAllTheSame() throws {
    var loop: EventLoop? = try EventLoop()
    let here = here
    let continuation = Mutex<CheckedContinuation<Void, Never>?>(nil)
    let waiting = loop?.startTask {
      await withCheckedContinuation { waiter in continuation.withLock { $0 = waiter } }
      return isHere(here)
    }
    let neverStarted = loop?.startTask { isHere(here) }
    loop?.runOnce()
    let late = loop?.startTask { isHere(here) }
    loop = nil
    continuation.withLock { $0?.resume() }
    let places = Mutex<[Bool]>([])
    let done = expectation(description: "all have ended")
    Task {
      for task in [waiting, neverStarted, late] {
        if let place = await task?.value { places.withLock { $0.append(place) } }
      }
      done.fulfill()
    }
    wait(for: [done], timeout: Double(testDeadline.components.seconds))
    XCTAssertEqual(places.withLock { $0 }, [false, true, false])
  }
}
