import Foundation
import SystemPackage
import TestSupport
import XCTest

@testable import PosixAIO

/// Contracts 1 to 3 with reads, writes and syncs at once: no signal can be queued, or none arrives,
/// or it arrives on a thread that does not expect it.
final class SignalLossTests: XCTestCase {
  private static let blockByteCount = 256
  /// How many requests are unfinished at a time.
  private static let depth = 256

  // MARK: Limits

  func test_mixedRequestsCompleteOnceAndRight_whateverNumberOfSignalsCanBeQueued() throws {
    for limit: UInt in [0, 1, 16] {
      for cacheFirst in [true, false] {
        for merges in [true, false] {
          let configuration = CompletionQueue.Configuration.with {
            $0.readsCacheFirst = cacheFirst
            $0.mergesWrites = merges
          }
          let statistics = try ResourceLimit.pendingSignals.lowered(to: limit) {
            try runMixed(configuration, requestCount: 600)
          }
          if limit == 0 {
            XCTAssertEqual(statistics.signalCount, 0)
            XCTAssertGreaterThan(statistics.rescuedCount, 0)
          }
        }
      }
    }
  }

  // MARK: Every signal lost

  func test_mixedRequestsCompleteOnceAndRight_whenEverySignalIsLost() throws {
    for merges in [true, false] {
      let configuration = CompletionQueue.Configuration.with {
        $0.mergesWrites = merges
        $0.readsCacheFirst = false
      }
      let statistics = try runMixed(configuration, SilentSystem(), requestCount: 600)
      XCTAssertEqual(statistics.signalCount, 0)
      XCTAssertGreaterThan(statistics.rescuedCount, 0)
    }
  }

  func test_cancelledRequestsCompleteOnce_whenEverySignalIsLost() throws {
    let folder = try TemporaryDirectory()
    let ledger = Ledger()
    let queue = try CompletionQueue(
      configuration: .with { $0.mergesWrites = false }, system: SilentSystem())
    let file = AIOFile(try folder.open("file"), queue: queue)
    var ids: [RequestID] = []
    // Of each request: where it writes, or nil for a sync.
    var places: [Int?] = []
    for number in 0..<300 {
      ids.append(
        try file.write(IOBuffer(copying: [1]), at: Int64(number * 2), ledger.transfer()))
      places.append(number * 2)
      if number % 20 == 0 {
        ids.append(try file.sync(ledger.sync()))
        places.append(nil)
      }
      if number % 50 == 49 {
        queue.drain()
        for id in ids.suffix(25).reversed() { queue.cancel(id, abandoning: number % 100 == 99) }
      }
    }
    queue.cancelAll(of: file)
    file.close(ledger.sync())
    try queue.run { queue.unfinishedCount == 0 && queue.hot.inFlight.isEmpty }
    ledger.assertEachOnce()
    queue.assertIdle()
    let found = try folder.contents(of: "file")
    for (number, place) in places.enumerated() where ledger[number] == .moved(1) {
      XCTAssertEqual(found[try XCTUnwrap(place)], 1)
    }
  }

  // MARK: Stray threads

  func test_mixedRequestsCompleteOnceAndRight_whenAThreadTakesTheSignals() throws {
    for limit: UInt? in [nil, 0, 1] {
      let done = DispatchSemaphore(value: 0)
      let started = DispatchSemaphore(value: 0)
      // Foundation's threads start with the mask of their creator, here before the queue is made.
      Thread {
        started.signal()
        done.wait()
      }.start()
      started.wait()
      defer { done.signal() }
      let configuration = CompletionQueue.Configuration.with { $0.readsCacheFirst = false }
      guard let limit else {
        let statistics = try runMixed(configuration, requestCount: 600)
        XCTAssertGreaterThan(statistics.strayCount, 0)
        XCTAssertGreaterThan(statistics.signalCount, 0)
        continue
      }
      try ResourceLimit.pendingSignals.lowered(to: limit) {
        _ = try runMixed(configuration, requestCount: 600)
      }
    }
  }

  // MARK: -

  /// Writes each block, reads it from the handler of its write, syncs now and then; at most 256 at
  /// a time. Checks every byte and every completion.
  private func runMixed(
    _ configuration: CompletionQueue.Configuration, _ system: AIOSystem = .live,
    requestCount: Int
  ) throws -> CompletionQueue.Statistics {
    let folder = try TemporaryDirectory()
    let ledger = Ledger()
    let queue = try CompletionQueue(configuration: configuration, system: system)
    let files = try (0..<3).map { AIOFile(try folder.open("\($0)"), queue: queue) }
    var syncCount = 0
    for number in 0..<requestCount {
      try queue.run { queue.unfinishedCount < Self.depth }
      let file = files[number % 3]
      let block = Pattern.block(number, byteCount: Self.blockByteCount)
      let place = Int64(number / 3 * Self.blockByteCount)
      try file.write(IOBuffer(copying: block), at: place) { result, buffer in
        ledger.transfer()(result, buffer)
        expectSuccess {
          try file.read(
            into: IOBuffer(capacity: block.count), at: place, ledger.read(expecting: block))
        }
      }
      if number % 10 == 0 {
        try file.sync(ledger.sync())
        syncCount += 1
      }
      // Submitted almost one by one, so that there are as many signals as can be.
      if number % 3 == 0 { queue.drain() }
    }
    try queue.runUntilIdle()
    ledger.assertEachOnce()
    XCTAssertEqual(ledger.entries.count, requestCount * 2 + syncCount)
    XCTAssertEqual(
      ledger.entries.count { $0 == [.moved(Self.blockByteCount)] }, requestCount * 2)
    XCTAssertEqual(ledger.entries.count { $0 == [.done] }, syncCount)
    for name in 0..<3 {
      let expected = stride(from: name, to: requestCount, by: 3).flatMap {
        Pattern.block($0, byteCount: Self.blockByteCount)
      }
      XCTAssertTrue(try folder.contents(of: "\(name)") == expected)
    }
    queue.assertIdle()
    return queue.statistics
  }
}
