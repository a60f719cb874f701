package import PosixAIO

/// The result of one operation of a loop, for a task to await: turns a callback form into an
/// asynchronous one.
///
/// ```swift
/// let pending = Pending<IOBuffer, FileError>(on: loop)
/// let id = try read(into: buffer, at: offset) { result, buffer in
///   pending.finish(result.map { _ in buffer })
/// }
/// return try await pending.value(cancelling: id)
/// ```
///
/// One object for each operation, and nothing else that is allocated: it holds the result, which may
/// be one that cannot be copied, and the continuation, which is resumed once because handlers are
/// called once.
///
/// Sendable: all of it happens on the loop's thread, where the task runs that awaits it. Only the
/// cancellation comes from elsewhere, and that goes through the loop's door.
@safe
package final class Pending<Value: ~Copyable, Failure: Error>: @unchecked Sendable {
  private let remote: EventLoop.Remote
  private var result: Result<Value, Failure>?
  private var continuation: UnsafeContinuation<Void, Never>?

  package init(on loop: EventLoop) {
    loop.checkThread()
    remote = loop.remote
  }

  /// Passes the result on. To be called once, on the loop's thread.
  package func finish(_ result: consuming Result<Value, Failure>) {
    precondition(self.result == nil)
    self.result = consume result
    unsafe continuation.take()?.resume()
  }

  /// Waits for the result. A cancelled task cancels the request, and gets its result then.
  ///
  /// - Parameters:
  ///   - id: The operation.
  ///   - abandoning: As for ``CompletionQueue/cancel(_:abandoning:)``.
  nonisolated(nonsending) package func value(
    cancelling id: RequestID, abandoning: Bool
  ) async throws(Failure) -> Value {
    await withTaskCancellationHandler {
      await finished()
    } onCancel: {
      _ = remote.add(.body { loop in loop.queue.cancel(id, abandoning: abandoning) })
    }
    return try take()
  }

  /// Waits for the result.
  ///
  /// - Parameter cancel: Called on the loop's thread, in a later turn, when the task is cancelled;
  ///   the result may be there by then.
  nonisolated(nonsending) package func value(
    cancel: @escaping () -> Void
  ) async throws(Failure) -> Value {
    // On the loop's thread here, and there again.
    nonisolated(unsafe) let cancel = cancel
    await withTaskCancellationHandler {
      await finished()
    } onCancel: {
      _ = remote.add(.body { _ in unsafe cancel() })
    }
    return try take()
  }

  nonisolated(nonsending) private func finished() async {
    // Not a checked one, which allocates: handlers are called exactly once, as is `finish`.
    await unsafe withUnsafeContinuation { continuation in
      // Here, since the task may have queued up once more on its way.
      guard result == nil else { return unsafe continuation.resume() }
      unsafe self.continuation = continuation
    }
  }

  private func take() throws(Failure) -> Value {
    guard let result = result.take() else {
      preconditionFailure("Pending: a result is awaited once")
    }
    return try result.get()
  }
}
