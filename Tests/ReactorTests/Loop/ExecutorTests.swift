import Glibc
import PosixAIO
import Reactor
import Synchronization
import SystemPackage
import TestSupport
import XCTest

/// An actor that lives on a loop's thread.
private actor PinnedActor {
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
    let actor = PinnedActor(loop.executor)
    let results = loop.run { _ in
      [await actor.append(1), await actor.appendAfterHop(2), await actor.append(3)]
    }
    XCTAssertEqual(results, [true, true, true])
  }

  func test_actorIsReachedFromOtherThreads() throws {
    let loop = try EventLoop()
    let actor = PinnedActor(loop.executor)
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
    let actor = PinnedActor(loop.executor)
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

  // MARK: The end

  func test_tasksEndOnTheLoopsThread_whenTheLoopGoes() throws {
    let here = here
    let places = Mutex<[Bool]>([])
    do {
      let loop = try EventLoop()
      loop.startTask {
        try? await Task.sleep(for: testDeadline)
        places.withLock { $0.append(isHere(here) && Task.isCancelled) }
      }
      loop.runOnce()
      // Never begun before the end.
      loop.startTask { places.withLock { $0.append(isHere(here) && Task.isCancelled) } }
    }
    XCTAssertEqual(places.withLock { $0 }, [true, true])
  }

  func test_taskThatIgnoresItsCancellationIsNeverRunOnAnotherThread() throws {
    var configuration = EventLoop.Configuration()
    configuration.cancellationGracePeriod = .milliseconds(1)
    let continuation = Mutex<CheckedContinuation<Void, Never>?>(nil)
    let wentOn = Mutex(false)
    let actor: PinnedActor
    do {
      let loop = try EventLoop(configuration: configuration)
      actor = PinnedActor(loop.executor)
      loop.startTask {
        await withCheckedContinuation { waiter in continuation.withLock { $0 = waiter } }
        wentOn.withLock { $0 = true }
      }
      loop.runOnce()
    }
    try XCTUnwrap(continuation.withLock { $0.take() }).resume()
    // A part of an actor comes after it, on the thread on which that would have been.
    XCTAssertEqual(try awaited { await actor.append(1) }, false)
    XCTAssertFalse(wentOn.withLock { $0 })
  }

  func test_pinnedActorGoesOnAfterTheEnd_andItsFilesThrow() throws {
    let folder = try TemporaryDirectory()
    let path = folder.path.appending("file")
    let keeper: FileKeeper
    do {
      let loop = try EventLoop()
      keeper = FileKeeper(loop.executor)
      loop.run { loop in
        await keeper.open(path, loop.remote)
      }
    }
    XCTAssertEqual(try awaited { await keeper.writeErrno() }, .canceled)
    XCTAssertEqual(try awaited { await keeper.close() }, nil)
  }

  /// Awaits something from a thread of no loop.
  private func awaited<Value: Sendable>(
    _ body: @escaping @Sendable () async -> Value
  ) throws -> Value {
    let value = Mutex<Value?>(nil)
    let done = expectation(description: "it has ended")
    Task.detached {
      let result = await body()
      value.withLock { $0 = result }
      done.fulfill()
    }
    wait(for: [done], timeout: Double(testDeadline.components.seconds))
    return try XCTUnwrap(value.withLock { $0 })
  }
}

/// An actor on a loop's thread that has a file.
private actor FileKeeper {
  private let executor: EventLoop.Executor
  private var file: File?

  nonisolated var unownedExecutor: UnownedSerialExecutor {
    unsafe executor.asUnownedSerialExecutor()
  }

  init(_ executor: EventLoop.Executor) {
    self.executor = executor
  }

  func open(_ path: FilePath, _ remote: EventLoop.Remote) async {
    await withCheckedContinuation { (waiting: CheckedContinuation<Void, Never>) in
      remote.execute { loop in
        File.open(path, .readWrite, options: .create, on: loop) { result in
          let opened = try? result.get()
          self.assumeIsolated { $0.file = opened }
          waiting.resume()
        }
      }
    }
  }

  func writeErrno() async -> Errno? {
    do throws(FileError) {
      guard let file else { return .noSuchFileOrDirectory }
      try await file.write(IOBuffer(copying: [1]), at: 0)
      return nil
    } catch {
      return error.errno
    }
  }

  func close() async -> Errno? {
    do throws(FileError) {
      try await file?.close()
      return nil
    } catch {
      return error.errno
    }
  }
}
