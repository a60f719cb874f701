internal import CLibevent
internal import Glibc
internal import Synchronization
package import PosixAIO
package import SystemPackage

/// What an ``EventLoop`` consists of.
///
/// Everything that belongs to a loop refers to its core, and nothing to the loop itself. So only
/// its users keep a loop, and it ends with the last of their references, whatever is in progress.
///
/// Sendable: what is public of it, and of whatever refers to it, checks the thread before it looks
/// at stored state.
@safe
package final class LoopCore: @unchecked Sendable {
  package let queue: CompletionQueue
  let configuration: EventLoop.Configuration
  let remote: EventLoop.Remote
  let executor: EventLoop.Executor
  /// The executor's.
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
  let chunks = ChunkPool()
  /// Whether files go to sockets without a copy where they can.
  var sendsFilesWithoutCopy: Bool
  // Tests put others in the place of these.
  var fileCalls = FileCalls.live
  var cacheDoubts = CacheDoubts.shared
  package let dependents = BaseUsers()
  /// For what writes by `writev(2)`: the HTTP server.
  var runState = EventLoop.RunState.idle

  /// How far its end has come. Written by `LoopCore+End.swift` alone, on the loop's thread.
  var phase = Phase.open {
    didSet { reachedPhase.store(phase.rawValue, ordering: .releasing) }
  }
  // Also asked by what goes on after the end, or is dropped, on another thread.
  private let reachedPhase = Atomic(Phase.open.rawValue)
  enum Phase: UInt8 {
    case open
    /// Everything accepted, and what that starts, comes to its own end.
    case finishing
    /// New work is refused, and the rest cut off.
    case canceling
    case ended
  }

  private weak var handle: EventLoop?

  /// - Parameter base: The caller's, or nil for one of its own.
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

  /// The loop as its users see it. When they have none any more, another one, which does not keep
  /// anything.
  package var loop: EventLoop {
    checkAccess()
    if let handle { return handle }
    let loop = EventLoop(self)
    // In the callback in which the last one went, this one keeps the loop.
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
      trap("EventLoop: the base goes with the loop")
    }
    return unsafe base
  }

  // MARK: - Checks

  /// Traps on any thread but the loop's, and when the loop has ended.
  package func checkThread() {
    require(
      thread.isCurrent,
      """
      EventLoop: used off its thread, after its end or in a fork's child. Other tasks call a \
      LoopActor, or await withTaskExecutorPreference(loop.executor) { … }; other threads call \
      loop.remote.execute { … }
      """)
  }

  /// Traps on any thread but the loop's, unless the loop has ended: for what may be asked then,
  /// too, since nothing changes it any more.
  package func checkAccess() {
    thread.checkAccess()
  }

  /// As ``checkThread()``, for what a user may still ask for when the loop has ended.
  ///
  /// - Throws: `ECANCELED` then.
  package func checkUse() throws(Errno) {
    if let refusal { throw refusal }
  }

  /// Whether sockets and timers have no future: the loop is ending, or has ended.
  package var isEnding: Bool {
    if case .open = phase { false } else { true }
  }

  /// As ``checkUse()``, for what has no future when the loop is ending.
  ///
  /// - Throws: `ECANCELED` then.
  func checkSockets() throws(Errno) {
    try checkUse()
    if isEnding { throw .canceled }
  }

  /// Whether the loop has ended, or is being cut off and takes nothing new.
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

  /// Does what changes something that belongs to a loop that has ended: one thread at a time.
  func afterEnd<Value: ~Copyable>(_ body: () -> Value) -> Value {
    lateUse.withLock { _ in body() }
  }
  private let lateUse = Mutex<Void>(())

  /// Makes a call that may run user code, for events of ``dependents``: the loop does not end in
  /// its middle.
  package func performCallback<Value>(_ body: () -> Value) -> Value {
    registry.performCallback(body)
  }

  // MARK: - Calls of the next turn

  /// Calls `body` in the next turn of the loop: what has a result at once does not give it from
  /// inside the call that asks.
  package func later(_ body: @escaping () -> Void) {
    nextTurn.add(body)
  }

  // MARK: - Helper threads

  /// Runs a call that may block on a helper thread, then its completion on the loop.
  ///
  /// - Parameters:
  ///   - isCleanUp: Whether it gives something back, and is made in any case: after the loop's end
  ///     at once.
  ///   - completion: Never called from inside this call while the loop lives. `EAGAIN` over the
  ///     limit of calls, and `ECANCELED` at the loop's end and after it, are reported as those of
  ///     `operation`.
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
    // Its events go with the core.
    TurnEvent(in: registry, budget: { [unowned self] in budget(self) }, counters) {
      [unowned self] budget in work(self, budget)
    }
  }

  /// Runs work when a descriptor of the loop's own is readable.
  ///
  /// A descriptor that wakes the loop does not keep a borrowed base running, and libevent does not
  /// count its event as something that happened. So the work is an event of its own.
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
  /// Handing a call to the loop's helper threads.
  static let helperCall = FileError.Operation("call on a helper thread")
}
