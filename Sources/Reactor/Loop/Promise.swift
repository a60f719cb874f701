package import PosixAIO

/// One operation of a loop that a task awaits: turns a callback form into an asynchronous one.
///
/// ```swift
/// let pending = Pending<Socket, ConnectError>(on: loop)
/// let attempt = Attempt(…) { result in pending.finish(result) }
/// return try await pending.value { attempt.cancel() }
/// ```
///
/// One object for each operation, and nothing else that is allocated: it holds the result, which
/// may be one that cannot be copied.
@safe
package final class Pending<Value: ~Copyable, Failure: Error>: Awaited, @unchecked Sendable {
  private var result: Result<Value, Failure>?

  /// Passes the result on. To be called once, on the loop's thread.
  package func finish(_ result: consuming Result<Value, Failure>) {
    self.result = consume result
    finished()
  }

  /// Waits for the result. A cancelled task cancels the request, and gets its result then.
  ///
  /// - Parameters:
  ///   - id: The operation.
  ///   - abandoning: As for ``/PosixAIO/CompletionQueue/cancel(_:abandoning:)``.
  nonisolated(nonsending) package func value(
    cancelling id: RequestID, abandoning: Bool
  ) async throws(Failure) -> Value {
    await end(cancelling: id, abandoning: abandoning)
    return try take()
  }

  /// Waits for the result.
  ///
  /// - Parameter cancel: Called on the loop's thread, in a later turn, when the task is cancelled;
  ///   the result may be there by then.
  nonisolated(nonsending) package func value(
    cancel: @escaping () -> Void
  ) async throws(Failure) -> Value {
    await end(cancel: cancel)
    return try take()
  }

  private func take() throws(Failure) -> Value {
    guard let result = result.take() else {
      trap("Pending: a result is awaited once")
    }
    return try result.get()
  }
}

/// A read or write that a task awaits. A class of its own, since a generic one asks the runtime for
/// its layout when it goes, which takes as long as half the rest.
@safe
package final class PendingTransfer: Awaited, @unchecked Sendable {
  // Unchecked as in `Awaited`.
  @exclusivity(unchecked) private var outcome: Outcome?

  private struct Outcome: ~Copyable {
    let result: Result<Int, FileError>
    let buffer: IOBuffer
  }

  /// Passes the outcome on. To be called once, on the loop's thread.
  package func finish(_ result: Result<Int, FileError>, _ buffer: consuming IOBuffer) {
    unsafe outcome = Outcome(result: result, buffer: buffer)
    finished()
  }

  /// As ``Pending/value(cancelling:abandoning:)``.
  ///
  /// - Returns: The buffer. When the transfer has failed it is gone.
  nonisolated(nonsending) package func buffer(
    cancelling id: RequestID, abandoning: Bool
  ) async throws(FileError) -> IOBuffer {
    await end(cancelling: id, abandoning: abandoning)
    guard let outcome = unsafe outcome.take() else {
      trap("PendingTransfer: an outcome is awaited once")
    }
    _ = try outcome.result.get()
    return outcome.buffer
  }
}

/// The end of an operation, which a task awaits and a callback brings about.
///
/// Sendable: all of it happens on the loop's thread, where the task runs that awaits it. Only the
/// cancellation comes from elsewhere, and that goes through the loop's door.
@safe
package class Awaited: @unchecked Sendable {
  @safe
  private enum State {
    case running
    case awaited(UnsafeContinuation<Void, Never>)
    case finished
  }

  private let executor: EventLoop.Executor
  // Unchecked for the reason that `UncheckedBox` is, without its allocation.
  @exclusivity(unchecked) private var state = State.running

  package init(on core: LoopCore) {
    core.checkThread()
    executor = core.executor
  }

  /// Lets the task go on that waits for the drain in which the operation could have ended.
  final func drainEnded() {
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
    case .finished: trap("Awaited: an operation ends once")
    }
  }

  /// Waits first without being able to be cancelled, for the drain that hands the request over.
  /// What the page cache has is there by then, and is spared the runtime's locks.
  nonisolated(nonsending) fileprivate final func end(
    cancelling id: RequestID, abandoning: Bool
  ) async {
    await unsafe withUnsafeContinuation { continuation in
      unsafe wait(continuation)
      executor.noteFresh(self)
    }
    if case .finished = unsafe state { return }
    await withTaskCancellationHandler {
      await unsafe withUnsafeContinuation { unsafe wait($0) }
    } onCancel: {
      executor.call { core in core.queue.cancel(id, abandoning: abandoning) }
    }
  }

  nonisolated(nonsending) fileprivate final func end(cancel: @escaping () -> Void) async {
    // On the loop's thread here, and there again.
    nonisolated(unsafe) let cancel = cancel
    await withTaskCancellationHandler {
      await unsafe withUnsafeContinuation { unsafe wait($0) }
    } onCancel: {
      executor.call { _ in unsafe cancel() }
    }
  }

  /// An unsafe continuation, since a checked one allocates: it is resumed once, because the
  /// operation ends once.
  private func wait(_ continuation: UnsafeContinuation<Void, Never>) {
    // The task may have queued up on its way, and the operation may have ended meanwhile.
    if case .finished = unsafe state { return unsafe continuation.resume() }
    unsafe state = .awaited(continuation)
  }
}
