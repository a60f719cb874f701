import Glibc
import SystemPackage
import TestSupport
import XCTest

@testable import PosixAIO

/// A test that ends queues, and begins and ends with nothing in the orphanage.
class QueueEndTestCase: XCTestCase {
  private(set) var folder: TemporaryDirectory!
  let ledger = Ledger()

  override func setUpWithError() throws {
    folder = try TemporaryDirectory()
    Orphanage.sweep()
    XCTAssertEqual(Orphanage.operationCount, 0)
  }

  func makeQueue(
    _ change: (inout CompletionQueue.Configuration) -> Void = { _ in }
  ) throws -> CompletionQueue {
    try CompletionQueue(configuration: .with(change))
  }

  func end(_ queue: CompletionQueue, waitingAtMost limit: Duration = .zero) {
    queue.beginEnd()
    while queue.unfinishedCount > 0, queue.drain() > 0 {}
    XCTAssertEqual(queue.unfinishedCount, 0)
    queue.retire(waitingAtMost: limit)
    XCTAssertEqual(queue.statistics.inFlightCount, 0)
    XCTAssertEqual(queue.hot.heldByteCount, 0)
  }

  /// Leaves a read in flight that runs for certain: the helper that ends the one before goes on
  /// with it.
  func blockRead(of pipe: TestPipe, _ file: AIOFile) throws {
    var hasEnded = false
    try file.read(into: IOBuffer(capacity: 1), at: 0) { _, _ in hasEnded = true }
    try file.read(into: IOBuffer(capacity: 100), at: 0, ledger.transfer())
    file.queue.drain()
    try pipe.write([1])
    try file.queue.run { hasEnded }
  }

  /// Waits until glibc has let go of everything.
  func sweepUntilEmpty() throws {
    let deadline = ContinuousClock.now + testDeadline
    while Orphanage.operationCount > 0 {
      guard ContinuousClock.now < deadline else {
        throw DeadlinePassed(description: "orphans: \(Orphanage.operationCount)")
      }
      sched_yield()
      Orphanage.sweep()
    }
  }
}
