import TestSupport
import XCTest

@testable import PosixAIO

/// A test with a queue whose libc is a script, and a file of that queue.
class ScriptedQueueTestCase: XCTestCase {
  private(set) var folder: TemporaryDirectory!
  private(set) var queue: CompletionQueue!
  private(set) var file: AIOFile!
  let ledger = Ledger()
  let system = ScriptedSystem()

  override func setUpWithError() throws {
    folder = try TemporaryDirectory()
    try makeQueue()
  }

  override func tearDown() {
    // XCTest keeps its test cases to the end, and a queue its signal as long as it lives.
    folder = nil
    queue = nil
    file = nil
  }

  /// Makes the queue, with other limits, and its file.
  func makeQueue(
    _ change: (inout CompletionQueue.Configuration) -> Void = { _ in }
  ) throws {
    queue = try CompletionQueue(configuration: .with(change), system: system)
    file = AIOFile(try folder.open("file"), queue: queue)
  }

  /// Ends everything, and checks that each request completed once, that nothing is left, and that
  /// no cancellation was one after which glibc forgets others.
  func settle(line: UInt = #line) throws {
    try system.runUntilIdle(queue)
    ledger.assertEachOnce(line: line)
    queue.assertIdle(line: line)
    XCTAssertEqual(system.riskyCancelCount, 0, line: line)
  }
}
