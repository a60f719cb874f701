#if NIO
  internal import NIOCore
  internal import NIOPosix
  internal import PosixAIO
  internal import Synchronization
  internal import SystemPackage

  /// Calls that may block, on a thread pool of NIO, and their results on the loop.
  ///
  /// When the loop ends, results that are still expected are `ECANCELED`, and what arrives later is
  /// dropped.
  @safe
  final class BlockingCalls {
    let way: WayToLoop
    private let eventLoop: any EventLoop
    private var nextNumber = 0
    private var cancellations: [Int: () -> Void] = [:]

    init(on eventLoop: any EventLoop) {
      self.eventLoop = eventLoop
      way = WayToLoop(eventLoop)
    }

    /// Call it on the loop.
    ///
    /// - Parameters:
    ///   - call: For the error of a call that does not come to run, or back.
    ///   - done: Called on the loop.
    func run<Value: Sendable>(
      _ call: FileCall, on pool: NIOThreadPool,
      _ body: @escaping @Sendable () throws(FileError) -> Value,
      _ done: @escaping (Result<Value, FileError>) -> Void
    ) {
      guard way.isOpen else { return done(.failure(call.error(.canceled))) }
      let ended = expect(call, done)
      pool.submit { state in
        ended(
          Result { () throws(FileError) in
            guard case .active = state else { throw call.error(.canceled) }
            return try body()
          })
      }
    }

    /// Expects the result of something that runs elsewhere. Call it on the loop, before its end.
    ///
    /// - Parameter done: Called on the loop, once: with the result, or with `ECANCELED` at the end.
    /// - Returns: Passes the result on, from any thread.
    func expect<Value: Sendable>(
      _ call: FileCall, _ done: @escaping (Result<Value, FileError>) -> Void
    ) -> Completion<Value> {
      let number = nextNumber
      nextNumber += 1
      cancellations[number] = { done(.failure(call.error(.canceled))) }
      let here = NIOLoopBound((self, done), eventLoop: eventLoop)
      return { [way] result in
        _ = way.execute {
          let (calls, done) = here.value
          guard calls.cancellations.removeValue(forKey: number) != nil else { return }
          done(result)
        }
      }
    }

    func end() {
      way.close()
      while let (number, cancel) = cancellations.min(by: { $0.key < $1.key }) {
        cancellations[number] = nil
        cancel()
      }
    }
  }

  /// Lets other threads run something on a loop, as long as the loop takes it.
  final class WayToLoop: Sendable {
    private let eventLoop: any EventLoop
    private let open = Mutex(true)

    init(_ eventLoop: any EventLoop) {
      self.eventLoop = eventLoop
    }

    var isOpen: Bool { open.withLock { $0 } }

    /// - Returns: False after ``close()->()``; then `body` is not called.
    func execute(_ body: @escaping @Sendable () -> Void) -> Bool {
      whileOpen { eventLoop.execute(body) } != nil
    }

    /// Calls `body` under a lock, since a loop that has shut down takes nothing. A loop that is
    /// open now runs all that it takes.
    ///
    /// - Returns: Nil after ``close()->()``; then `body` is not called.
    func whileOpen<Value: Sendable>(_ body: () -> Value) -> Value? {
      open.withLock { $0 ? body() : nil }
    }

    func close() {
      open.withLock { $0 = false }
    }
  }
#endif
