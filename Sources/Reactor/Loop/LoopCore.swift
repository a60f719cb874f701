internal import CLibevent
internal import Glibc
internal import Synchronization
package import PosixAIO
package import SystemPackage

/// The parts of an ``EventLoop``.
///
/// Objects that belong to a loop refer to its core, not to the loop itself. So only users keep a
/// loop alive, and it ends with their last reference, whatever is in progress.
///
/// Sendable: the public API of the core, and of the objects that refer to it, checks the thread
/// before it accesses stored state.
@safe
package final class LoopCore: @unchecked Sendable {
  package let queue: CompletionQueue
  let configuration: EventLoop.Configuration
  let remote: EventLoop.Remote
  let executor: EventLoop.Executor
  /// The same as the executor's.
  let thread: LoopThread
  let loopTaskExecutor: EventLoop.LoopTaskExecutor
  let registry: EventRegistry
  let remoteCalls: EventLoop.RemoteCalls
  let nextTurn: NextTurnCalls
  let sockets: OpenSockets
  let helpers: Helpers
  let tasks: LoopTasks
  let files: LoopFiles
  let obligations: Obligations
  let keepAlive: KeepAlive
  let counters = EventLoop.Counters()
  package let chunks = ChunkPool()
  /// Whether files are sent to sockets without a copy where possible.
  var sendsFilesWithoutCopy: Bool
  // Replaced by tests.
  var fileCalls = FileCalls.live
  var cacheDoubts = CacheDoubts.shared
  package let dependents = BaseUsers()
  /// The state of the loop's own run calls.
  var runState = EventLoop.RunState.idle

  /// The progress of the loop's end. Written only by `LoopCore+End.swift`, on the loop's thread.
  var phase = Phase.open {
    didSet { reachedPhase.store(phase.rawValue, ordering: .releasing) }
  }
  // A copy for other threads, which may release objects after the end.
  private let reachedPhase = Atomic(Phase.open.rawValue)
  enum Phase: UInt8 {
    case open
    /// Accepted work, and the work that it starts, completes by itself.
    case finishing
    /// New work is refused, and the rest is cut off.
    case canceling
    case ended
  }

  private weak var handle: EventLoop?

  /// - Parameter base: The caller's base, or nil to create one.
  init(base: OpaquePointer?, _ configuration: EventLoop.Configuration) throws(Errno) {
    configuration.check()
    self.configuration = configuration
    sendsFilesWithoutCopy = configuration.sendsFilesWithoutCopy
    queue = try CompletionQueue(configuration: configuration.queue)
    files = LoopFiles(queue)
    thread = LoopThread()
    remote = try EventLoop.Remote(thread, waitingLimit: configuration.waitingCallLimit)
    registry = try unsafe EventRegistry(borrowing: base)
    executor = EventLoop.Executor(thread: thread, remote: remote)
    loopTaskExecutor = EventLoop.LoopTaskExecutor(executor)
    remoteCalls = EventLoop.RemoteCalls(remote)
    nextTurn = NextTurnCalls(registry)
    sockets = OpenSockets(registry, nextTurn)
    keepAlive = KeepAlive(in: registry)
    tasks = LoopTasks(keepAlive)
    helpers = Helpers(
      threadLimit: configuration.offloadThreadLimit, limit: configuration.offloadLimit, remote,
      nextTurn,
      keepAlive)
    obligations = Obligations(
      queue: queue, queueWaiters: files.waiters, helpers: helpers, nextTurn: nextTurn,
      remoteCalls: remoteCalls, sockets: sockets, tasks: tasks)
    files.connect(to: self)
    connectCalls()
    connectJobs()
    registry.seal()
  }

  // MARK: - The loop

  /// The loop that users see. If they have no reference any more, a new one, which does not keep
  /// the loop from ending.
  package var loop: EventLoop {
    checkAccess()
    if let handle { return handle }
    let loop = EventLoop(self)
    // If the last reference went in the current callback, this one keeps the loop.
    if case .open = phase { handle = loop }
    return loop
  }

  func setHandle(_ loop: EventLoop) {
    handle = loop
  }

  /// Whether a user has a reference to the loop.
  var isReferenced: Bool { handle != nil }

  /// libevent's `event_base`.
  package var base: OpaquePointer {
    guard let base = unsafe registry.base else {
      trap("EventLoop: the loop has ended, and its base is gone")
    }
    return unsafe base
  }

  // MARK: - Checks

  /// Traps on any thread but the loop's, and after the loop's end.
  package func checkThread() {
    require(
      thread.isCurrent,
      """
      EventLoop: used off its thread, after its end or in a forked child. Other tasks call a \
      LoopActor, or await withTaskExecutorPreference(loop.executor) { … }; other threads call \
      loop.remote.execute { … }
      """)
  }

  /// Traps on any thread but the loop's, if the loop has not ended. For state that may still be
  /// read after the end, when it no longer changes.
  package func checkAccess() {
    thread.checkAccess()
  }

  /// As ``checkThread()``, for calls that users may still make after the loop's end.
  ///
  /// - Throws: `ECANCELED` after the end.
  package func checkUse() throws(Errno) {
    if let refusal { throw refusal }
  }

  /// Whether new sockets and timers are refused: the loop is ending, or has ended.
  package var isEnding: Bool {
    if case .open = phase { false } else { true }
  }

  /// As ``checkUse()``, for calls that are refused while the loop is ending.
  ///
  /// - Throws: `ECANCELED` then.
  func checkSockets() throws(Errno) {
    try checkUse()
    if isEnding { throw .canceled }
  }

  /// Whether the loop has ended, or is being cut off and accepts no new work.
  var refusesWork: Bool {
    switch phase {
    case .open, .finishing: false
    case .canceling, .ended: true
    }
  }

  package var hasEnded: Bool {
    reachedPhase.load(ordering: .acquiring) == Phase.ended.rawValue
  }

  /// As ``phase``, on any thread.
  var isOpen: Bool { reachedPhase.load(ordering: .acquiring) == Phase.open.rawValue }

  /// Changes an object of a loop that has ended, on one thread at a time.
  func afterEnd<Value: ~Copyable>(_ body: () -> Value) -> Value {
    lateUse.withLock { _ in body() }
  }
  private let lateUse = Mutex<Void>(())

  /// Calls code that may run user code, for events of ``dependents``: the loop does not end during
  /// the call.
  package func performCallback<Value>(_ body: () -> Value) -> Value {
    registry.performCallback(body)
  }

  // MARK: - Calls of the next turn

  /// Calls `body` in the next turn of the loop. Results that are available at once use it, so that
  /// no handler runs inside the call that started the work.
  package func callNextTurn(_ body: @escaping () -> Void) {
    nextTurn.add(body)
  }

  // MARK: - Helper threads

  /// Runs a call that may block on a helper thread, then its completion on the loop.
  ///
  /// - Parameters:
  ///   - isCleanUp: Whether the call releases a resource. Such a call is always made, after the
  ///     loop's end at once.
  ///   - completion: Never called inside this call while the loop lives. `EAGAIN` over the limit of
  ///     calls, and `ECANCELED` at and after the loop's end, are reported as errors of `operation`.
  func offloadCall<Value: Sendable>(
    _ kind: Helpers.Kind = .fileCall, isCleanUp: Bool = false,
    as operation: FileError.Operation = .helperCall, _ path: FilePath? = nil,
    _ work: @escaping @Sendable () throws(FileError) -> Value,
    _ completion: @escaping (Result<Value, FileError>) -> Void
  ) {
    if let refusal {
      if isCleanUp { return completion(Result(catching: work)) }
      return refuse(operation, path, refusal, completion)
    }
    helpers.run(kind, isCleanUp: isCleanUp, { Result(catching: work) }) { outcome in
      switch outcome {
      case .success(let result): completion(result)
      case .failure(let errno):
        completion(.failure(FileError(operation: operation, path: path, errno: errno)))
      }
    }
  }

  // MARK: - Sources of work

  private func connectCalls() {
    let work = turnEvent(budget: { $0.configuration.callsPerTurn }) { core, limit in
      let count = core.remoteCalls.run(on: core, limit: limit)
      core.counters.statistics.callCount += UInt64(count)
      return count
    }
    watchDescriptor(remote.descriptor, work)
    remoteCalls.work = work
  }

  private func connectJobs() {
    let work = turnEvent(budget: { $0.configuration.jobsPerTurn }) { core, limit in
      core.executor.run(limit: limit)
    }
    executor.open(work, loopTaskExecutor)
  }

  /// - Parameter budget: See ``TurnEvent``.
  func turnEvent(
    budget: @escaping (LoopCore) -> Int,
    _ work: @escaping (_ core: LoopCore, _ budget: Int) -> Int
  ) -> TurnEvent {
    // The core owns the event, so that the event does not outlive it.
    TurnEvent(in: registry, budget: { [unowned self] in budget(self) }, counters) {
      [unowned self] budget in work(self, budget)
    }
  }

  /// Runs work when one of the loop's own descriptors is readable.
  ///
  /// A descriptor that wakes the loop does not keep a borrowed base running, and libevent does not
  /// count its event as activity. So the work has an event of its own.
  func watchDescriptor(
    _ descriptor: Int32, _ work: TurnEvent, _ note: @escaping (LoopCore) -> Void = { _ in }
  ) {
    Event(
      in: registry, descriptor: descriptor, flags: EV_READ | EV_PERSIST, lifetime: .uncounted
    ) { [unowned self] in
      checkThread()
      note(self)
      work.runThisTurn()
    }.add()
  }
}

extension FileError.Operation {
  /// Submitting a call to the loop's helper threads.
  static let helperCall = FileError.Operation("call on a helper thread")
}
