#if NIO
  internal import NIOCore
  internal import PosixAIO
  internal import SystemPackage

  /// Gets the result of an operation, once: on the loop, or on any thread if the loop has ended.
  typealias Completion<Value> = @Sendable (Result<Value, FileError>) -> Void

  /// What the errors of an operation name.
  struct FileCall: Sendable {
    let operation: FileError.Operation
    var path: FilePath?
    var otherPath: FilePath?
    var offset: Int64?

    init(
      _ operation: FileError.Operation, _ path: FilePath?, to otherPath: FilePath? = nil,
      at offset: Int64? = nil
    ) {
      self.operation = operation
      self.path = path
      self.otherPath = otherPath
      self.offset = offset
    }

    func error(_ errno: Errno) -> FileError {
      FileError(
        operation: operation, path: path, otherPath: otherPath, offset: offset, errno: errno)
    }
  }

  /// How a cancelled task stops its operation.
  ///
  /// Sendable: it is used on the loop only.
  @safe
  final class Cancellation: @unchecked Sendable {
    private enum State {
      case idle
      case running(RequestID, CompletionQueue)
      case runningSteps(() -> Void)
      case canceled
    }

    private var state = State.idle

    var isCanceled: Bool {
      if case .canceled = state { true } else { false }
    }

    /// From now on a cancellation stops this request.
    func stops(_ request: RequestID, of queue: CompletionQueue) {
      guard !isCanceled else { return }
      state = .running(request, queue)
    }

    /// From now on a cancellation calls `body`.
    func stops(_ body: @escaping () -> Void) {
      guard !isCanceled else { return }
      state = .runningSteps(body)
    }

    func cancel() {
      let former = state
      state = .canceled
      switch former {
      case .idle, .canceled: break
      case .running(let request, let queue): queue.cancel(request, abandoning: true)
      case .runningSteps(let body): body()
      }
    }
  }

  /// The two forms of every operation, made of one function that starts it on the loop.
  extension LoopQueue {
    /// - Parameter start: Called on the loop, or never.
    func future<Value: Sendable>(
      _ call: FileCall, _ start: @escaping @Sendable (@escaping Completion<Value>) -> Void
    ) -> EventLoopFuture<Value> {
      if isCurrent {
        let promise = eventLoop.makePromise(of: Value.self)
        start { promise.complete($0) }
        return promise.futureResult
      }
      let future = calls.way.whileOpen {
        let promise = eventLoop.makePromise(of: Value.self)
        eventLoop.execute { start { promise.complete($0) } }
        return promise.futureResult
      }
      return future ?? eventLoop.makeFailedFuture(call.error(.canceled))
    }

    /// The start of an operation of several steps, each of which is awaited on the loop.
    func steps<Value: Sendable>(
      _ call: FileCall, _ done: @escaping Completion<Value>,
      _ body: @escaping @Sendable () async throws(FileError) -> Value
    ) {
      guard isOpen else { return done(.failure(call.error(.canceled))) }
      let ended = calls.expect(call, done)
      Task(executorPreference: LoopTaskExecutor(eventLoop)) {
        do throws(FileError) {
          ended(.success(try await body()))
        } catch {
          ended(.failure(error))
        }
      }
    }

    /// Awaits an operation that stops when its task is cancelled.
    nonisolated(nonsending) func outcome<Value: Sendable>(
      _ call: FileCall,
      _ start: @escaping @Sendable (Cancellation, @escaping Completion<Value>) -> Void
    ) async throws(FileError) -> Value {
      guard !Task.isCancelled else { throw call.error(.canceled) }
      let cancellation = Cancellation()
      let result: Result<Value, FileError> = await cancellableResult(call, cancellation) { done in
        // The task may have been cancelled while the call was on its way to the loop.
        guard !cancellation.isCanceled else { return done(.failure(call.error(.canceled))) }
        start(cancellation, done)
      }
      return try result.get()
    }

    /// Awaits an operation that runs to its end once it has started.
    nonisolated(nonsending) func uncancelledOutcome<Value: Sendable>(
      _ call: FileCall, _ start: @escaping @Sendable (@escaping Completion<Value>) -> Void
    ) async throws(FileError) -> Value {
      try await result(call, start).get()
    }

    /// - Parameter isolation: The caller's actor, so that the closures stay on it.
    private func cancellableResult<Value: Sendable>(
      isolation: isolated (any Actor)? = #isolation, _ call: FileCall,
      _ cancellation: Cancellation,
      _ start: @escaping @Sendable (@escaping Completion<Value>) -> Void
    ) async -> Result<Value, FileError> {
      await withTaskCancellationHandler {
        await result(isolation: isolation, call, start)
      } onCancel: {
        // In a turn of its own: the task may be cancelled anywhere. After the loop's end there is
        // nothing to cancel.
        _ = calls.way.execute { cancellation.cancel() }
      }
    }

    /// An unsafe continuation, since a checked one allocates. It is resumed once, because an
    /// operation completes once.
    private func result<Value: Sendable>(
      isolation: isolated (any Actor)? = #isolation, _ call: FileCall,
      _ start: @escaping @Sendable (@escaping Completion<Value>) -> Void
    ) async -> Result<Value, FileError> {
      await unsafe withUnsafeContinuation(isolation: isolation) { continuation in
        if isCurrent {
          start { unsafe continuation.resume(returning: $0) }
        } else if !calls.way.execute({ start { unsafe continuation.resume(returning: $0) } }) {
          unsafe continuation.resume(returning: .failure(call.error(.canceled)))
        }
      }
    }
  }

  extension EventLoopPromise where Value: Sendable {
    func complete(_ result: Result<Value, FileError>) {
      switch result {
      case .success(let value): succeed(value)
      case .failure(let error): fail(error)
      }
    }
  }
#endif
