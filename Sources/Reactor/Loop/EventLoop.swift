internal import CLibevent
internal import Glibc
public import PosixAIO
public import SystemPackage

/// An event loop for sockets, timers, signals and files on one thread. Wraps libevent's
/// `event_base`.
///
/// The loop belongs to the thread that makes it, or to the one that runs it. Everything it offers is
/// called on that thread, except ``remote``. Callbacks run on that thread, and never from inside the
/// call that started the work.
///
/// Files go through the loop's ``queue``, whose descriptor is an ordinary read event of the base.
@safe
public final class EventLoop {
  /// The limits of a loop.
  public struct Configuration: Sendable {
    /// The limits of the file operations. ``CompletionQueue/Configuration/completionsPerDrain``
    /// bounds the file completions in one turn of the loop, so that a flood of them leaves sockets
    /// and timers their share.
    public var queue = CompletionQueue.Configuration()

    /// The most helper threads for calls that POSIX AIO does not have, such as `open(2)`.
    public var helperLimit = 4

    /// The limits as they are unless set.
    public init() {}
  }

  /// Runs the file operations.
  public let queue: CompletionQueue

  /// Reaches the loop from other threads.
  public let remote: Remote

  /// The limits with which the loop was made.
  public let configuration: Configuration

  let registry: EventRegistry
  let helpers: Helpers
  let sockets: OpenSockets
  private var owner = pthread_self()
  private var isStopping = false

  /// Makes a loop with an event base and a completion queue of its own.
  ///
  /// - Throws: What ``CompletionQueue/init(configuration:)`` throws; `EMFILE` or its like for the
  ///   descriptors of the base. Nothing stays behind.
  public init(configuration: Configuration = Configuration()) throws(Errno) {
    self.configuration = configuration
    queue = try CompletionQueue(configuration: configuration.queue)
    remote = try Remote()
    helpers = Helpers(limit: configuration.helperLimit, remote: remote)
    registry = try EventRegistry()
    sockets = OpenSockets(registry)

    let completions = Event(
      in: registry, descriptor: queue.descriptor.rawValue, flags: EV_READ | EV_PERSIST
    ) { [unowned self] in
      queue.drain()
    }
    completions.add()
    // A zero timer, since libevent runs what is activated in a callback within the same turn: a
    // stream of completions would keep timers and sockets from theirs.
    let nextTurn = Event(in: registry, descriptor: -1, flags: 0) { [unowned self] in
      queue.drain()
    }
    queue.requestDrain = { time in
      switch time {
      case .thisTurn: completions.activate()
      case .nextTurn: nextTurn.add(timeout: .zero)
      }
    }
    let calls = Event(in: registry, descriptor: remote.descriptor, flags: EV_READ | EV_PERSIST) {
      [unowned self] in
      remote.runCalls(on: self)
    }
    calls.add()
  }

  deinit {
    queue.requestDrain = nil
    remote.close()
    sockets.close()
    registry.close()
  }

  /// Runs until ``stop()``. Wraps `event_base_loop`.
  public func run() {
    takeOver()
    while !isStopping {
      unsafe event_base_loop(base, EVLOOP_NO_EXIT_ON_EMPTY)
    }
    isStopping = false
  }

  /// Waits until something happens, runs the callbacks of it, and returns.
  public func runOnce() {
    takeOver()
    unsafe event_base_loop(base, EVLOOP_ONCE)
  }

  /// Makes ``run()`` return after the callback that is running; before `run`, makes that return at
  /// once. Wraps `event_base_loopbreak`.
  public func stop() {
    checkThread()
    isStopping = true
    unsafe event_base_loopbreak(base)
  }

  /// Runs blocking work on a helper thread, then `completion` on the loop.
  ///
  /// At most ``Configuration/helperLimit`` helpers run at a time; further work waits its turn.
  ///
  /// - Parameters:
  ///   - work: Runs on another thread, where signals are blocked.
  ///   - completion: Gets the work's result, on the loop's thread.
  public func offload<Value: Sendable>(
    _ work: @escaping @Sendable () -> Value, _ completion: @escaping (Value) -> Void
  ) {
    checkThread()
    helpers.run(work, completion)
  }

  /// As ``offload(_:_:)``, for work that can fail as a file operation does.
  func offloadCall<Value: Sendable>(
    _ work: @escaping @Sendable () throws(FileError) -> Value,
    _ completion: @escaping (Result<Value, FileError>) -> Void
  ) {
    offload({ Result(catching: work) }, completion)
  }

  // MARK: - For the rest of the package

  /// libevent's `event_base`.
  package var base: OpaquePointer {
    guard let base = unsafe registry.base else {
      preconditionFailure("EventLoop: the base goes with the loop")
    }
    return unsafe base
  }

  /// Traps on any thread but the loop's.
  package func checkThread() {
    precondition(
      pthread_equal(owner, pthread_self()) != 0,
      "EventLoop: used off its thread; from other threads call loop.remote.execute { … }")
  }

  private func takeOver() {
    owner = pthread_self()
    queue.moveToCurrentThread()
  }
}
