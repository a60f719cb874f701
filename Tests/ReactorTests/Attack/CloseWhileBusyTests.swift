import Glibc
import PosixAIO
import SystemPackage
import TestSupport
import XCTest

@testable import Reactor

/// Ends of loops that are still fed while they end.
final class CloseWhileBusyTests: XCTestCase {
  /// Runs a body on a thread of its own, and tells whether it ended in time.
  static func endsInTime(
    within seconds: Int = 10, _ body: @escaping @Sendable () -> Void
  ) throws -> Bool {
    let ended = DispatchSemaphore(value: 0)
    try OtherThread.start {
      body()
      ended.signal()
    }.detach()
    return ended.wait(timeout: .now() + .seconds(seconds)) == .success
  }

  func testClosingCancelsATaskThatYieldsUntilItIsCancelled() throws {
    let ends = try Self.endsInTime {
      let loop = try! EventLoop()
      loop.startTask { while !Task.isCancelled { await Task.yield() } }
      loop.close()
    }
    XCTAssertTrue(ends, "close() goes on for ever")
  }

  func testDroppingEndsInSpiteOfATaskThatYieldsAndIgnoresItsCancellation() throws {
    let ends = try Self.endsInTime {
      var configuration = EventLoop.Configuration()
      configuration.cancellationGracePeriod = .milliseconds(50)
      let loop = try! EventLoop(configuration: configuration)
      loop.startTask { while true { await Task.yield() } }
    }
    XCTAssertTrue(ends, "dropping goes on for ever")
  }

  func testDroppingEndsInSpiteOfAnExecutorsTaskThatYields() throws {
    let isOver = NSLock()
    nonisolated(unsafe) var over = false
    let ends = try Self.endsInTime {
      var configuration = EventLoop.Configuration()
      configuration.cancellationGracePeriod = .milliseconds(50)
      let loop = try! EventLoop(configuration: configuration)
      // Something that keeps the end waiting for its whole grace period.
      loop.offload({ _ = usleep(300_000) }) { _ in }
      Task(executorPreference: loop.executor) {
        while !isOver.withLock({ over }) { await Task.yield() }
      }
      loop.run(for: .milliseconds(5))
    }
    isOver.withLock { over = true }
    XCTAssertTrue(ends, "dropping goes on for ever")
  }

  func testClosingEndsWhileOtherThreadsPassCallsOnUntilTheyAreRefused() throws {
    let ends = try Self.endsInTime(within: 15) {
      let loop = try! EventLoop()
      let remote = loop.remote
      let threads = (0..<2).map { _ in
        try! OtherThread.start { while remote.execute({ _ in }) {} }
      }
      loop.run(for: .milliseconds(5))
      loop.close()
      for thread in threads { thread.join() }
    }
    XCTAssertTrue(ends, "close() goes on as long as others pass calls on")
  }

  func testAWriterThatWaitsForBytesOfTheQueueIsAnsweredWhenTheLoopIsDropped() throws {
    let folder = try TemporaryFolder()
    let path = folder.path.appending("file")
    var ends: [Int32] = [0, 0]
    XCTAssertEqual(pipe(&ends), 0)
    var outcomes: [Bool] = []
    do {
      var configuration = EventLoop.Configuration()
      configuration.queue.heldByteLimit = 64 * 1024
      configuration.cancellationGracePeriod = .milliseconds(100)
      let loop = try EventLoop(configuration: configuration)
      let pipe = AIOFile(FileDescriptor(rawValue: ends[0]), queue: loop.queue)
      try pipe.read(into: IOBuffer(capacity: 64 * 1024), at: 0) { _, _ in }
      File.open(path, .writeOnly, options: .create, on: loop) { result in
        let writer = FileWriter(try! result.get())
        try! writer.write(Array("hello".utf8))
        writer.flush { result in
          if case .success = result { outcomes.append(true) } else { outcomes.append(false) }
        }
        loop.nextTurn { loop.nextTurn { loop.nextTurn { loop.stop() } } }
      }
      loop.run()
    }
    XCTAssertEqual(outcomes, [false])
    Glibc.close(ends[1])
  }

  func testClosingWaitsQuietlyForAWriterThatWaitsForBytesOfTheQueue() throws {
    let folder = try TemporaryFolder()
    let path = folder.path.appending("file")
    var ends: [Int32] = [0, 0]
    XCTAssertEqual(pipe(&ends), 0)
    var outcomes: [Bool] = []
    var configuration = EventLoop.Configuration()
    configuration.queue.heldByteLimit = 64 * 1024
    let loop = try EventLoop(configuration: configuration)
    let pipe = AIOFile(FileDescriptor(rawValue: ends[0]), queue: loop.queue)
    try pipe.read(into: IOBuffer(capacity: 64 * 1024), at: 0) { _, _ in }
    File.open(path, .writeOnly, options: .create, on: loop) { result in
      let writer = FileWriter(try! result.get())
      try! writer.write(Array("hello".utf8))
      writer.flush { result in
        if case .success = result { outcomes.append(true) } else { outcomes.append(false) }
      }
      loop.nextTurn { loop.nextTurn { loop.nextTurn { loop.stop() } } }
    }
    loop.run()
    let end = ends[1]
    try OtherThread.start {
      usleep(1_000_000)
      _ = Glibc.write(end, "x", 1)
    }.detach()
    let before = clock()
    loop.close()
    let busy = Double(clock() - before) / Double(CLOCKS_PER_SEC)
    XCTAssertEqual(outcomes, [true])
    XCTAssertLessThan(busy, 0.5, "close() polls in a busy loop for as long as the writer waits")
    Glibc.close(ends[1])
  }

  func testClosingRunsATaskThatIsReadyBeforeItWaits() throws {
    var ends: [Int32] = [0, 0]
    XCTAssertEqual(pipe(&ends), 0)
    let loop = try EventLoop()
    let read = FileDescriptor(rawValue: ends[0])
    let task = loop.startTask {
      let file = File(try! File.Opened(read, path: "pipe"), on: loop.core)
      loop.stop()
      _ = try? await file.read(into: IOBuffer(capacity: 10), at: 0)
    }
    loop.run()
    task.cancel()
    let start = ContinuousClock.now
    loop.close()
    let time = ContinuousClock.now - start
    print("closing took", time)
    XCTAssertLessThan(time, .milliseconds(9), "a job was ready all the time")
    Glibc.close(ends[1])
  }
}
