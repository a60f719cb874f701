#if NIO
  public import NIOCore
  internal import NIOPosix
  internal import PosixAIO
  internal import SystemPackage

  /// Where the paths of a ``LoopFileNamespace`` begin, and the loop and the thread pool that its
  /// operations use.
  public struct LoopFileScope: Sendable {
    /// The loop whose futures the operations return.
    public let eventLoop: any EventLoop

    let pool: NIOThreadPool
    let directory: DirectoryDescriptor?

    /// An open directory. It is closed with the last reference.
    struct DirectoryDescriptor: Sendable {
      let shared: SharedDescriptor
      /// Whether names below it may be opened on the loop.
      let opensFromMemory: Bool
    }

    /// A path in this scope, for a call that keeps the scope meanwhile.
    func anchor(_ path: FilePath) -> PathAnchor {
      if let directory { .beneath(directory.shared.descriptor, path) } else { .anywhere(path) }
    }

    // MARK: - The two forms of every operation

    /// - Parameter start: Called on the loop.
    func future<Value: Sendable>(
      _ call: FileCall,
      _ start: @escaping @Sendable (LoopQueue, @escaping Completion<Value>) -> Void
    ) -> EventLoopFuture<Value> {
      let promise = LatePromise<Value>(of: eventLoop)
      enter(call, start) { promise.complete($0) }
      return promise.futureResult
    }

    /// Awaits an operation that runs to its end once it has started.
    func outcome<Value: Sendable>(
      isolation: isolated (any Actor)? = #isolation, _ call: FileCall,
      _ start: @escaping @Sendable (LoopQueue, @escaping Completion<Value>) -> Void
    ) async throws(FileError) -> Value {
      guard !Task.isCancelled else { throw call.error(.canceled) }
      // An unsafe continuation, since a checked one allocates. An operation completes once.
      let result = await unsafe withUnsafeContinuation(isolation: isolation) {
        (continuation: UnsafeContinuation<Result<Value, FileError>, Never>) in
        enter(call, start) { unsafe continuation.resume(returning: $0) }
      }
      return try result.get()
    }

    private func enter<Value>(
      _ call: FileCall,
      _ start: @escaping @Sendable (LoopQueue, @escaping Completion<Value>) -> Void,
      _ done: @escaping Completion<Value>
    ) {
      let enterLoop: @Sendable () -> Void = { [eventLoop] in
        do throws(Errno) {
          start(try LoopQueue.of(eventLoop), done)
        } catch {
          done(.failure(call.error(error)))
        }
      }
      if eventLoop.inEventLoop { return enterLoop() }
      LoopCall.run(on: eventLoop, enterLoop) { done(.failure(call.error(.canceled))) }
    }

    /// The start of an operation that is one call on the thread pool.
    func onPool<Value: Sendable>(
      _ call: FileCall, _ body: @escaping @Sendable () throws(FileError) -> Value
    ) -> @Sendable (LoopQueue, @escaping Completion<Value>) -> Void {
      { [pool] owner, done in owner.calls.run(call, on: pool, body, done) }
    }
  }
#endif
