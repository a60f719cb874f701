import Glibc
import SystemPackage
import TestSupport
import XCTest

@testable import PosixAIO
@testable import Reactor

/// What happens at the last moment of a loop's end, and after it.
final class AfterTheEndTests: XCTestCase {
  actor Pinned: LoopActor {
    let loop: EventLoop
    init(_ loop: EventLoop) { self.loop = loop }

    func isLoopsThread() -> Bool { loop.core.executor.thread.isCurrent }
    func check() { loop.executor.checkIsolated() }
  }

  func test_aLoopThatHasEndedBelongsToNoThread() throws {
    let loop = try EventLoop()
    let actor = Pinned(loop)
    loop.close()
    let ended = DispatchSemaphore(value: 0)
    nonisolated(unsafe) var isLoopsThread = false
    Task {
      unsafe isLoopsThread = await actor.isLoopsThread()
      ended.signal()
    }
    XCTAssertEqual(ended.waitForDeadline(), .success)
    unsafe XCTAssertFalse(isLoopsThread, "checkThread() passes on the thread of late jobs")
  }

  /// A task of the executor closes its file when its read was cut off, as everybody does.
  func test_aTaskOfTheExecutorClosesItsFileWhateverTheMomentOfTheEnd() throws {
    let folder = try TemporaryDirectory()
    try folder.write(Array("hello".utf8), to: "file")
    let path = folder.path.appending("file")
    var lost = 0
    for round in 0..<500 where lost == 0 {
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
          Task(executorPreference: loop.executor) {
            _ = try? await file.read(into: IOBuffer(capacity: 10), at: 0)
            try? await file.close()
            ended.signal()
          }
        }
        for _ in 0..<(round % 3) { loop.runOnce() }
      }
      for _ in 0..<taskCount where lost == 0 && ended.waitForDeadline() == .timedOut { lost += 1 }
      if lost > 0 { print("lost in round \(round)") }
    }
    XCTAssertEqual(lost, 0, "a task hangs behind the end of its loop")
  }

  /// The same for a task that is started while the loop ends, by what a refused timer has captured.
  func test_aTaskOfTheExecutorThatADeinitStartsWhileTheLoopEndsClosesItsFile() throws {
    final class Last {
      let body: () -> Void
      init(_ body: @escaping () -> Void) { self.body = body }
      deinit { body() }
    }
    let folder = try TemporaryDirectory()
    try folder.write(Array("hello".utf8), to: "file")
    let path = folder.path.appending("file")
    let loop = try EventLoop()
    var opened: File?
    File.open(path, .readOnly, on: loop) {
      opened = try? $0.get(); loop.stop()
    }
    loop.run()
    let file = try XCTUnwrap(opened)
    let ended = DispatchSemaphore(value: 0)
    let executor = loop.executor
    loop.nextTurn {
      // Released when the loop, which is ending, has refused the timer.
      let last = Last {
        Task(executorPreference: executor) {
          try? await file.close()
          ended.signal()
        }
      }
      loop.schedule(after: .seconds(1)) { _ = last }
    }
    loop.close()
    XCTAssertEqual(ended.waitForDeadline(), .success, "close() never completes")
  }

  func test_anActorsIsolationHoldsWhileItsLoopEnds() throws {
    for _ in 0..<500 {
      let loop = try EventLoop()
      let actor = Pinned(loop)
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
      XCTAssertEqual(isOver.waitForDeadline(), .success)
    }
  }

  // MARK: - Locks

  func test_numberStaysOpen_whileAHelperWaitsForALockThatWasGivenUp() throws {
    let folder = try TemporaryDirectory()
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
    // The helper still waits on it, so the number is not reused.
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
