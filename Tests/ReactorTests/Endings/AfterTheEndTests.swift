import Glibc
import SystemPackage
import TestSupport
import XCTest

@testable import PosixAIO
@testable import Reactor

/// What happens at the last moment of a loop's end, and after it.
final class AfterTheEndTests: XCTestCase {
  struct Handle: @unchecked Sendable {
    let loop: EventLoop
  }

  actor Pinned {
    let loop: EventLoop.Executor
    let handle: Handle
    nonisolated var unownedExecutor: UnownedSerialExecutor { unsafe loop.asUnownedSerialExecutor() }
    init(_ handle: Handle) {
      loop = handle.loop.executor
      self.handle = handle
    }

    func isLoopsThread() -> Bool { handle.loop.core.executor.thread.isCurrent }
    func check() { loop.checkIsolated() }
  }

  func test_aLoopThatHasEndedBelongsToNoThread() throws {
    let loop = try EventLoop()
    let actor = Pinned(Handle(loop: loop))
    loop.close()
    let ended = DispatchSemaphore(value: 0)
    nonisolated(unsafe) var isLoopsThread = false
    Task {
      unsafe isLoopsThread = await actor.isLoopsThread()
      ended.signal()
    }
    XCTAssertEqual(ended.wait(timeout: .now() + 10), .success)
    unsafe XCTAssertFalse(isLoopsThread, "checkThread() passes on the thread of late jobs")
  }

  /// A task of the executor closes its file when its read was cut off, as everybody does.
  func test_aTaskOfTheExecutorClosesItsFileWhateverTheMomentOfTheEnd() throws {
    let folder = try TemporaryFolder()
    try folder.write(Array("hello".utf8), to: "file")
    let path = folder.path.appending("file")
    var lost = 0
    for round in 0..<2000 where lost == 0 {
      let ended = DispatchSemaphore(value: 0)
      let taskCount = 8
      do {
        let loop = try EventLoop()
        var files: [File] = []
        for _ in 0..<taskCount {
          File.open(path, .readOnly, on: loop) { result in
            if case .success(let file) = result { files.append(file) }
          }
        }
        loop.run(until: { files.count == taskCount }, timeout: testDeadline)
        for file in files {
          nonisolated(unsafe) let file = file
          Task(executorPreference: loop.executor) {
            _ = unsafe try? await file.read(into: IOBuffer(capacity: 10), at: 0)
            unsafe try? await file.close()
            ended.signal()
          }
        }
        for _ in 0..<(round % 3) { loop.runOnce() }
      }
      for _ in 0..<taskCount where ended.wait(timeout: .now() + 3) == .timedOut { lost += 1 }
      if lost > 0 { print("lost in round \(round): \(lost)") }
    }
    XCTAssertEqual(lost, 0, "a task hangs behind the end of its loop")
  }

  /// The same, with the moment between the executor's end and the loop's made long.
  func test_aTaskOfTheExecutorClosesItsFileInTheLastMomentOfTheEnd() throws {
    final class Slow {
      let body: () -> Void
      init(_ body: @escaping () -> Void) { self.body = body }
      deinit { body() }
    }
    let folder = try TemporaryFolder()
    try folder.write(Array("hello".utf8), to: "file")
    let path = folder.path.appending("file")
    let loop = try EventLoop()
    var opened: File?
    File.open(path, .readOnly, on: loop) {
      opened = try? $0.get(); loop.stop()
    }
    loop.run()
    nonisolated(unsafe) let file = try XCTUnwrap(opened)
    let started = DispatchSemaphore(value: 0)
    let ended = DispatchSemaphore(value: 0)
    let executor = loop.executor
    loop.nextTurn {
      // Released when the last events are taken out of the base.
      let slow = Slow {
        Task(executorPreference: executor) {
          started.signal()
          unsafe try? await file.close()
          ended.signal()
        }
        _ = started.wait(timeout: .now() + 5)
        usleep(20_000)
      }
      loop.schedule(after: .seconds(1)) { _ = slow }
    }
    loop.close()
    XCTAssertEqual(ended.wait(timeout: .now() + 3), .success, "close() is never answered")
  }

  func test_anActorsIsolationHoldsWhileItsLoopEnds() throws {
    for _ in 0..<2000 {
      let loop = try EventLoop()
      let actor = Pinned(Handle(loop: loop))
      let isOver = DispatchSemaphore(value: 0)
      let thread = DispatchSemaphore(value: 0)
      Task {
        thread.signal()
        for _ in 0..<20 { await actor.check() }
        isOver.signal()
      }
      thread.wait()
      loop.run(for: .microseconds(200))
      loop.close()
      XCTAssertEqual(isOver.wait(timeout: .now() + 10), .success)
    }
  }

  // MARK: - Locks

  func test_numberStaysOpen_whileAHelperWaitsForALockThatWasGivenUp() throws {
    let folder = try TemporaryFolder()
    try folder.write([1], to: "contested")
    let holder = try folder.open("contested")
    XCTAssertEqual(setLock(holder.rawValue, F_WRLCK), 0)
    let threadCount = ProcessThreads.count()
    let loop = try EventLoop()
    var file: File?
    File.open(folder.path.appending("contested"), .readWrite, on: loop) {
      file = try? $0.get()
      loop.stop()
    }
    loop.run()
    let number = try XCTUnwrap(file).queued.lanes.descriptor(0)
    var outcomes: [Errno?] = []
    var isClosed = false
    file?.lock(.exclusive) { result in
      if case .failure(let error) = result { outcomes.append(error.errno) }
      file?.close { _ in isClosed = true }
    }
    loop.run(for: .milliseconds(100))
    loop.close()
    XCTAssertEqual(outcomes, [.canceled])
    XCTAssertTrue(isClosed)
    // The helper still waits on it, so the number is nobody else's.
    XCTAssertGreaterThanOrEqual(fcntl(number, F_GETFD), 0)
    // The wait ends, the lock that it got is released, and the file closed.
    Glibc.close(holder.rawValue)
    let end = ContinuousClock.now + testDeadline
    while ProcessThreads.count() > threadCount, .now < end { sched_yield() }
    XCTAssertEqual(fcntl(number, F_GETFD), -1)
    let other = try folder.open("contested")
    XCTAssertEqual(setLock(other.rawValue, F_WRLCK), 0)
    Glibc.close(other.rawValue)
  }

  private func setLock(_ descriptor: Int32, _ type: Int32) -> Int32 {
    var lock = flock()
    lock.l_type = Int16(type)
    lock.l_whence = Int16(SEEK_SET)
    // F_OFD_SETLK
    return unsafe withUnsafeMutablePointer(to: &lock) { unsafe fcntl(descriptor, 37, $0) }
  }
}
