#if NIO
  internal import NIOCore
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
#endif
