#if NIO
  internal import NIOCore
  internal import NIOPosix
  internal import PosixAIO
  internal import Synchronization
  internal import SystemPackage

  /// Calls that may block, on a thread pool of NIO, and their results on the loop.
  ///
  /// When the loop ends, the results of calls that run are `ECANCELED`, and what those calls return
  /// is dropped.
  @safe
  final class BlockingCalls {
    private let eventLoop: any EventLoop
    private let way: WayToLoop
    private var nextNumber = 0
    private var cancellations: [Int: () -> Void] = [:]

    init(on eventLoop: any EventLoop) {
      self.eventLoop = eventLoop
      way = WayToLoop(eventLoop)
    }

    /// - Parameter operation: The one to name if the call does not come to run, or back.
    func run<Value: Sendable>(
      as operation: FileError.Operation, _ path: FilePath?, on pool: NIOThreadPool,
      _ body: @escaping @Sendable () throws(FileError) -> Value
    ) -> EventLoopFuture<Value> {
      let promise = eventLoop.makePromise(of: Value.self)
      let canceled = FileError(operation: operation, path: path, errno: .canceled)
      let number = nextNumber
      nextNumber += 1
      guard way.isOpen else {
        promise.fail(canceled)
        return promise.futureResult
      }
      cancellations[number] = { promise.fail(canceled) }
      let here = NIOLoopBound(self, eventLoop: eventLoop)
      pool.submit { [way] state in
        let result = Result { () throws(FileError) in
          guard case .active = state else { throw canceled }
          return try body()
        }
        way.execute {
          guard here.value.cancellations.removeValue(forKey: number) != nil else { return }
          promise.completeWith(result.mapError { $0 })
        }
      }
      return promise.futureResult
    }

    func end() {
      way.close()
      let all = cancellations.sorted { $0.key < $1.key }
      cancellations = [:]
      for (_, cancel) in all { cancel() }
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

    /// Does nothing after ``close()``.
    func execute(_ body: @escaping @Sendable () -> Void) {
      // Under the lock, since a loop that has shut down takes nothing.
      open.withLock { open in
        if open { eventLoop.execute(body) }
      }
    }

    func close() {
      open.withLock { $0 = false }
    }
  }
#endif
