import Foundation
import Glibc
import PosixAIO
import SystemPackage
import TestSupport
import XCTest

/// Contracts 1 and 2 of the completion queue: whatever happens to the signals, each request
/// completes once, and its result is what the kernel did.
final class LostSignalTests: XCTestCase {
  private static let writeCount = 256
  private static let blockByteCount = 512

  func test_everyWriteCompletesOnceAndRight_whenNoSignalCanBeQueued() throws {
    let statistics = try writeBlocks(pendingSignalLimit: 0)
    XCTAssertEqual(statistics.signalCount, 0)
    XCTAssertGreaterThan(statistics.rescuedCount, 0)
  }

  func test_everyWriteCompletesOnceAndRight_whenOneSignalCanBeQueued() throws {
    try writeBlocks(pendingSignalLimit: 1)
  }

  func test_everyWriteCompletesOnceAndRight_whenSixteenSignalsCanBeQueued() throws {
    try writeBlocks(pendingSignalLimit: 16)
  }

  func test_everyWriteCompletesOnceAndRight_withoutALimit() throws {
    let statistics = try writeBlocks(pendingSignalLimit: nil)
    XCTAssertGreaterThan(statistics.signalCount, 0)
  }

  func test_completionsArriveThroughTheHandler_whenAThreadDoesNotBlockTheSignal() throws {
    // Foundation's threads start with the mask of their creator, and this one starts before the
    // queue blocks its signal.
    let done = DispatchSemaphore(value: 0)
    let started = DispatchSemaphore(value: 0)
    let thread = Thread {
      started.signal()
      done.wait()
    }
    thread.start()
    started.wait()
    defer { done.signal() }
    let statistics = try writeBlocks(pendingSignalLimit: nil)
    XCTAssertGreaterThan(statistics.strayCount, 0)
    // Not all: a signal shows what others are to announce, and they come later.
    XCTAssertGreaterThan(statistics.signalCount, 0)
  }

  func test_completionsArrive_whenAThreadDoesNotBlockTheSignalAndNoneCanBeQueued() throws {
    let done = DispatchSemaphore(value: 0)
    Thread { done.wait() }.start()
    defer { done.signal() }
    try writeBlocks(pendingSignalLimit: 0)
  }

  /// Writes 256 blocks through small groups, checks every completion and every byte, and returns
  /// the queue's statistics.
  @discardableResult
  private func writeBlocks(pendingSignalLimit: UInt?) throws -> CompletionQueue.Statistics {
    let folder = try TemporaryDirectory()
    let queue = try CompletionQueue()
    let file = AIOFile(try folder.open("blocks"), queue: queue)
    var completions = [Int](repeating: 0, count: Self.writeCount)
    var failures: [String] = []

    func write(_ number: Int) throws {
      let block = Pattern.block(number, byteCount: Self.blockByteCount)
      let offset = Int64(number * Self.blockByteCount)
      try file.write(IOBuffer(copying: block), at: offset) { result, buffer in
        completions[number] += 1
        if case .success(Self.blockByteCount) = result, buffer.count == Self.blockByteCount {
          return
        }
        failures.append("block \(number): \(result)")
      }
      // Each write is submitted alone, so that there are as many signals as can be.
      queue.drain()
    }

    func writeAll() throws {
      for number in 0..<Self.writeCount { try write(number) }
      try queue.runUntilIdle()
    }
    if let pendingSignalLimit {
      try ResourceLimit.pendingSignals.lowered(to: pendingSignalLimit, writeAll)
    } else {
      try writeAll()
    }

    XCTAssertEqual(failures, [])
    XCTAssertEqual(completions, [Int](repeating: 1, count: Self.writeCount))
    let expected = (0..<Self.writeCount).flatMap {
      Pattern.block($0, byteCount: Self.blockByteCount)
    }
    XCTAssertEqual(try folder.contents(of: "blocks"), expected)
    return queue.statistics
  }
}
