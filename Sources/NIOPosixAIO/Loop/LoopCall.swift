#if NIO
  internal import NIOCore
  internal import PosixAIO
  internal import Synchronization

  /// A call from another thread on a loop, which drops it if it has shut down.
  final class LoopCall: Sendable {
    private let body: @Sendable () -> Void
    private let alternative: @Sendable () -> Void
    private let hasRun = Atomic(false)

    private init(
      _ body: @escaping @Sendable () -> Void, orElse alternative: @escaping @Sendable () -> Void
    ) {
      self.body = body
      self.alternative = alternative
    }

    deinit {
      if !hasRun.load(ordering: .relaxed) { alternative() }
    }

    /// Calls `body` in a turn of the loop, or `alternative` on any thread if the loop has shut
    /// down.
    static func run(
      on eventLoop: any EventLoop, _ body: @escaping @Sendable () -> Void,
      orElse alternative: @escaping @Sendable () -> Void
    ) {
      let call = LoopCall(body, orElse: alternative)
      eventLoop.execute {
        call.hasRun.store(true, ordering: .relaxed)
        call.body()
      }
    }
  }

  /// A promise for a call on a loop that may have shut down before: a promise of NIO can only be
  /// completed on a loop that runs.
  final class LatePromise<Value: Sendable>: Sendable {
    private enum State {
      case new
      case made(EventLoopPromise<Value>)
      /// Completed before the promise was needed.
      case completed(Result<Value, FileError>)
    }

    private let eventLoop: any EventLoop
    private let state = Mutex(State.new)

    init(of eventLoop: any EventLoop) {
      self.eventLoop = eventLoop
    }

    /// Call it once.
    func complete(_ result: Result<Value, FileError>) {
      let promise: EventLoopPromise<Value>? = state.withLock { state in
        if case .made(let promise) = state { return promise }
        state = .completed(result)
        return nil
      }
      promise?.complete(result)
    }

    var futureResult: EventLoopFuture<Value> {
      state.withLock { state in
        switch state {
        case .new:
          let promise = eventLoop.makePromise(of: Value.self)
          state = .made(promise)
          return promise.futureResult
        case .made(let promise): return promise.futureResult
        case .completed(.success(let value)): return eventLoop.makeSucceededFuture(value)
        case .completed(.failure(let error)): return eventLoop.makeFailedFuture(error)
        }
      }
    }
  }
#endif
