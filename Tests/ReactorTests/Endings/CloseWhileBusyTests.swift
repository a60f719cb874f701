import Glibc
import PosixAIO
import SystemPackage
import TestSupport
import XCTest

@testable import Reactor

/// Ends of loops that are still fed while they end.
final class CloseWhileBusyTests: XCTestCase {
  /// Runs a body on a thread of its own, and tells whether it ended in time.
  static func endsInTime(_ body: @escaping @Sendable () throws -> Void) throws -> Bool {
    let ended = DispatchSemaphore(value: 0)
    try OtherThread.start {
      expectNoThrow { try body() }
      ended.signal()
    }.detach()
    return ended.waitForDeadline() == .success
  }

  func test_closingCancelsATaskThatYieldsUntilItIsCancelled() throws {
    let ends = try Self.endsInTime {
      let loop = try EventLoop()
      loop.startTask { while !Task.isCancelled { await Task.yield() } }
      loop.close()
    }
    XCTAssertTrue(ends, "close() goes on for ever")
  }

  func test_droppingEndsInSpiteOfATaskThatYieldsAndIgnoresItsCancellation() throws {
    let ends = try Self.endsInTime {
      var configuration = EventLoop.Configuration()
      configuration.cancellationGracePeriod = .milliseconds(50)
      let loop = try EventLoop(configuration: configuration)
      loop.startTask { while true { await Task.yield() } }
    }
    XCTAssertTrue(ends, "dropping goes on for ever")
  }

  func test_droppingEndsInSpiteOfAnExecutorsTaskThatYields() throws {
    let isOver = NSLock()
    nonisolated(unsafe) var over = false
    let ends = try Self.endsInTime {
      var configuration = EventLoop.Configuration()
      configuration.cancellationGracePeriod = .milliseconds(50)
      let loop = try EventLoop(configuration: configuration)
      // Something that keeps the end waiting for its whole grace period.
      loop.offload({ _ = usleep(300_000) }) { _ in }
      Task(executorPreference: loop.executor) {
        while !isOver.withLock({ unsafe over }) { await Task.yield() }
      }
      loop.run(for: .milliseconds(5))
    }
    isOver.withLock { unsafe over = true }
    XCTAssertTrue(ends, "dropping goes on for ever")
  }

  func test_closingEndsWhileOtherThreadsPassCallsOnUntilTheyAreRefused() throws {
    let ends = try Self.endsInTime {
      let loop = try EventLoop()
      let remote = loop.remote
      let threads = try (0..<2).map { _ in
        try OtherThread.start { while remote.execute({ _ in }) {} }
      }
      loop.run(for: .milliseconds(5))
      loop.close()
      for thread in threads { thread.join() }
    }
    XCTAssertTrue(ends, "close() goes on as long as others pass calls on")
  }

  func test_aWriterThatWaitsForBytesOfTheQueueCompletesWhenTheLoopIsDropped() throws {
    let folder = try TemporaryDirectory()
    let path = folder.path.appending("file")
    var ends: [Int32] = [0, 0]
    unsafe XCTAssertEqual(pipe(&ends), 0)
    var outcomes: [Bool] = []
    do {
      var configuration = EventLoop.Configuration()
      configuration.queue.heldByteLimit = 64 * 1024
      configuration.cancellationGracePeriod = .milliseconds(100)
      let loop = try EventLoop(configuration: configuration)
      let pipe = AIOFile(FileDescriptor(rawValue: ends[0]), queue: loop.queue)
      try pipe.read(into: IOBuffer(capacity: 64 * 1024), at: 0) { _, _ in }
      File.open(path, .writeOnly, options: .create, on: loop) { result in
        guard case .success(let file) = result else { return XCTFail("\(result)") }
        let writer = FileWriter(file)
        expectNoThrow { try writer.write(Array("hello".utf8)) }
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

}
