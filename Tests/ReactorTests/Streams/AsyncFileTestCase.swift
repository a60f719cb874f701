import PosixAIO
import Reactor
import TestSupport
import XCTest

/// Tasks on a loop, awaited with a deadline.
class AsyncFileTestCase: XCTestCase {
  /// Runs a task on a loop of its own, and ends a test that hangs.
  final func run(
    _ body: nonisolated(nonsending) @escaping (EventLoop, TemporaryDirectory) async throws -> Void
  ) throws {
    let before = try openDescriptors()
    try runOnce(body)
    XCTAssertEqual(try openDescriptors(), before)
  }

  private func runOnce(
    _ body: nonisolated(nonsending) @escaping (EventLoop, TemporaryDirectory) async throws -> Void
  ) throws {
    let (folder, loop) = (try TemporaryDirectory(), try EventLoop())
    let deadline = loop.schedule(after: testDeadline) { fatalError("the task hangs") }
    try loop.run { loop in try await body(loop, folder) }
    deadline.cancel()
    XCTAssertEqual(loop.queue.unfinishedCount, 0)
  }

  /// What a call throws.
  nonisolated(nonsending) final func error<Value, Failure: Error>(
    _ call: nonisolated(nonsending) () async throws(Failure) -> Value
  ) async -> Failure? {
    do throws(Failure) {
      _ = try await call()
      return nil
    } catch {
      return error
    }
  }
}
