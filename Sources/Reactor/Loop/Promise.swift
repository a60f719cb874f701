package import PosixAIO

/// The result of a loop operation that a task awaits: turns a callback form into an async one.
///
/// ```swift
/// let promise = Promise<Socket, ConnectError>(on: loop)
/// let attempt = Attempt(…) { result in promise.finish(result) }
/// return try await promise.value { attempt.cancel() }
/// ```
///
/// This object is the only allocation of an operation. It holds the result, which may be
/// noncopyable.
@safe
package final class Promise<Value: ~Copyable, Failure: Error>: SuspendedTask, @unchecked Sendable {
  private var result: Result<Value, Failure>?

  /// Sets the result. Call it once, on the loop's thread.
  package func finish(_ result: consuming Result<Value, Failure>) {
    self.result = consume result
    finished()
  }

  /// Waits for the result. Cancelling the task cancels the request, which then completes as usual.
  ///
  /// - Parameters:
  ///   - id: The request.
  ///   - abandoning: As for ``/PosixAIO/CompletionQueue/cancel(_:abandoning:)``.
  nonisolated(nonsending) package func value(
    cancelling id: RequestID, abandoning: Bool
  ) async throws(Failure) -> Value {
    await end(cancelling: id, abandoning: abandoning)
    return try take()
  }

  /// Waits for the result.
  ///
  /// - Parameter cancel: Called on the loop's thread, in another turn, when the task is cancelled.
  ///   The result may be set by then.
  nonisolated(nonsending) package func value(
    cancel: @escaping () -> Void
  ) async throws(Failure) -> Value {
    await end(cancel: cancel)
    return try take()
  }

  private func take() throws(Failure) -> Value {
    guard let result = result.take() else {
      trap("Promise: a result is awaited once")
    }
    return try result.get()
  }
}

/// The result of a read or write that a task awaits. It has a class of its own: a generic class
/// looks up its layout in the runtime when it is released, which takes half as long as everything
/// else.
@safe
package final class TransferPromise: SuspendedTask, @unchecked Sendable {
  // Unchecked as in `SuspendedTask`.
  @exclusivity(unchecked) private var outcome: Outcome?

  private struct Outcome: ~Copyable {
    let result: Result<Int, FileError>
    let buffer: IOBuffer
  }

  /// Sets the outcome. Call it once, on the loop's thread.
  package func finish(_ result: Result<Int, FileError>, _ buffer: consuming IOBuffer) {
    unsafe outcome = Outcome(result: result, buffer: buffer)
    finished()
  }

  /// As ``Promise/value(cancelling:abandoning:)``.
  ///
  /// - Returns: The buffer. If the transfer fails, the buffer is released.
  nonisolated(nonsending) package func buffer(
    cancelling id: RequestID, abandoning: Bool
  ) async throws(FileError) -> IOBuffer {
    await end(cancelling: id, abandoning: abandoning)
    guard let outcome = unsafe outcome.take() else {
      trap("TransferPromise: an outcome is awaited once")
    }
    _ = try outcome.result.get()
    return outcome.buffer
  }
}

/// A task that is suspended until a callback reports the end of an operation.
///
/// Sendable: all accesses happen on the loop's thread, where the awaiting task runs. Only
/// cancellation comes from other threads, and that uses the loop's remote.
@safe
package class SuspendedTask: @unchecked Sendable {
  @safe
  private enum State {
    case running
    case awaited(UnsafeContinuation<Void, Never>)
    case finished
  }

  private let executor: EventLoop.Executor
  // Unchecked for the same reason as `UncheckedBox`, without its allocation.
  @exclusivity(unchecked) private var state = State.running

  package init(on core: LoopCore) {
    core.checkThread()
    executor = core.executor
  }

  /// Resumes the task after the drain in which the operation could have completed.
  final func drainDidEnd() {
    guard case .awaited(let continuation) = unsafe state else { return }
    unsafe state = .running
    unsafe continuation.resume()
  }

  fileprivate final func finished() {
    let former = unsafe state
    unsafe state = .finished
    switch former {
    case .running: break
    case .awaited(let continuation): unsafe continuation.resume()
    case .finished: trap("SuspendedTask: an operation ends once")
    }
  }

  /// First waits without a cancellation handler, until the end of the drain that submits the
  /// request. Cached data is there by then, without the runtime's locks for a handler.
  nonisolated(nonsending) fileprivate final func end(
    cancelling id: RequestID, abandoning: Bool
  ) async {
    await unsafe withUnsafeContinuation { continuation in
      unsafe wait(continuation)
      // A refusal is reported in the next turn, and no drain need follow.
      if id != .refused { executor.resumeAfterDrain(self) }
    }
    if case .finished = unsafe state { return }
    await endCancellably { [executor] in
      executor.call { core in core.queue.cancel(id, abandoning: abandoning) }
    }
  }

  nonisolated(nonsending) fileprivate final func end(cancel: @escaping () -> Void) async {
    // Used on the loop's thread only, both here and in the handler.
    nonisolated(unsafe) let cancel = cancel
    await endCancellably { [executor] in
      executor.call { _ in unsafe cancel() }
    }
  }

  /// - Parameter isolation: The caller's actor. The closure captures it and so stays on it: another
  ///   closure would leave an actor of the loop that a foreign task calls.
  private final func endCancellably(
    isolation: isolated (any Actor)? = #isolation, _ onCancel: @Sendable () -> Void
  ) async {
    await withTaskCancellationHandler {
      await unsafe withUnsafeContinuation(isolation: isolation) { unsafe wait($0) }
    } onCancel: {
      onCancel()
    }
  }

  /// An unsafe continuation, since a checked one allocates. It is resumed once, because the
  /// operation completes once.
  private func wait(_ continuation: UnsafeContinuation<Void, Never>) {
    executor.checkIsolated()
    // The task may have been enqueued in between, and the operation may have completed meanwhile.
    if case .finished = unsafe state { return unsafe continuation.resume() }
    unsafe state = .awaited(continuation)
  }
}
