internal import CLibevent
internal import Glibc
public import PosixAIO
public import SystemPackage

/// An event loop for sockets, timers, signals and files on one thread. Wraps libevent's
/// `event_base`.
///
/// The loop belongs to the thread that makes it, until another one runs it or calls
/// ``moveToCurrentThread()``. Everything it offers is called on that thread, except ``remote``.
/// Callbacks run on that thread, and never from inside the call that started the work.
///
/// Files go through the loop's ``queue``, whose descriptor is an ordinary read event of the base.
@safe
public final class EventLoop {
  /// Runs the file operations.
  public let queue: CompletionQueue

  /// Reaches the loop from other threads.
  public let remote: Remote

  /// Runs tasks and actors on the loop's thread.
  public let executor: Executor

  /// The limits with which the loop was made.
  public let configuration: Configuration

  /// For what writes by `writev(2)`: the HTTP server.
  package let brokenPipes = BrokenPipes()

  let registry: EventRegistry
  let helpers: Helpers
  let sockets: OpenSockets
  let hold: WorkHold
  let counters = Counters()
  let chunks = ChunkPool()
  var runState = RunState.idle
  let calls: RemoteCalls
  private var isQueueBusy = false
  private var queueWaiters: [() -> Void] = []

  /// Makes a loop with an event base and a completion queue of its own.
  ///
  /// - Parameter configuration: The limits; those that are out of their range trap.
  /// - Throws: What ``/PosixAIO/CompletionQueue/init(configuration:)`` throws; `EMFILE` or its like
  ///   for the descriptors of the base. Nothing stays behind.
  public convenience init(configuration: Configuration = Configuration()) throws(Errno) {
    try unsafe self.init(base: nil, configuration)
  }

  /// Makes a loop of an event base that somebody else made, and runs.
  ///
  /// The loop adds events of its own, and takes them out when it goes; it neither frees the base
  /// nor makes its loop return. It works by whoever runs the base: ``run()`` or C's
  /// `event_base_dispatch`, on the thread that makes this loop, or else that calls
  /// ``moveToCurrentThread()`` first.
  ///
  /// What is under way keeps `event_base_dispatch` from returning: file operations, offloaded work,
  /// tasks, timers and watches. That other threads may call ``remote`` one day does not: a base
  /// that is to wait for them needs an event that stays.
  ///
  /// - Parameters:
  ///   - base: libevent's `event_base`. It outlives the loop.
  ///   - configuration: The limits.
  /// - Throws: As ``init(configuration:)``. The base is as it was.
  @unsafe
  public convenience init(
    borrowing base: OpaquePointer, configuration: Configuration = Configuration()
  ) throws(Errno) {
    try unsafe self.init(base: base, configuration)
  }

  private init(base: OpaquePointer?, _ configuration: Configuration) throws(Errno) {
    configuration.check()
    self.configuration = configuration
    queue = try CompletionQueue(configuration: configuration.queue)
    let thread = LoopThread()
    remote = try Remote(thread, waitingLimit: configuration.waitingCallLimit)
    calls = RemoteCalls(remote)
    registry = try unsafe EventRegistry(borrowing: base)
    sockets = OpenSockets(registry)
    executor = Executor(thread: thread, remote: remote)
    hold = WorkHold(in: registry)
    helpers = Helpers(limit: configuration.helperLimit, remote: remote, hold: hold)
    connectQueue()
    connectCalls()
    connectJobs()
    registry.seal()
  }

  deinit {
    // What a fork's child took out of its copy of the base, its parent would miss.
    if executor.thread.isOfThisProcess { abandon() }
  }

  /// Makes the calling thread the loop's, before it runs a borrowed base that another thread gave
  /// a loop. No other thread uses the loop any more.
  public func moveToCurrentThread() {
    precondition(
      executor.thread.isOfThisProcess,
      "EventLoop: a fork's child shares its parent's descriptors; make a loop of its own there")
    precondition(unsafe registry.base != nil, "EventLoop: used after close()")
    guard !executor.thread.isCurrent else { return }
    executor.thread.moveHere()
    queue.moveToCurrentThread()
    brokenPipes.threadChanged()
  }

  /// Runs blocking work on a helper thread, then `completion` on the loop.
  ///
  /// At most ``Configuration/helperLimit`` helpers run at a time; further work waits its turn.
  ///
  /// - Parameters:
  ///   - work: Runs on another thread, where signals are blocked.
  ///   - completion: Gets the work's result, on the loop's thread.
  /// - Throws: `EAGAIN` over ``Configuration/offloadLimit``. Nothing was started.
  public func offload<Value: Sendable>(
    _ work: @escaping @Sendable () -> Value, _ completion: @escaping (Value) -> Void
  ) throws(Errno) {
    checkThread()
    guard helpers.waitingCount < configuration.offloadLimit else {
      throw .resourceTemporarilyUnavailable
    }
    helpers.run(work, completion)
  }

  /// As ``offload(_:_:)``, for work that can fail as a file operation does. A refusal is reported
  /// like any other failure, from the loop.
  func offloadCall<Value: Sendable>(
    _ work: @escaping @Sendable () throws(FileError) -> Value,
    _ completion: @escaping (Result<Value, FileError>) -> Void
  ) {
    do throws(Errno) {
      try offload({ Result(catching: work) }, completion)
    } catch {
      refuse(.helperCall, nil, error, completion)
    }
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
      executor.thread.isCurrent,
      """
      EventLoop: used off its thread, after close() or in a fork's child; from other threads call \
      loop.remote.execute { … }
      """)
  }

  // MARK: - Sources of work

  private func connectQueue() {
    var isCutShort = false
    let drain = turnEvent(share: { $0.completionsPerTurn }) { loop, limit in
      isCutShort = false
      let count = loop.executor.servingJobs {
        loop.queue.drain(limit: limit, cachedReadLimit: loop.cachedReadsPerTurn)
      } isOver: {
        !isCutShort
      }
      loop.holdWhileQueueIsBusy()
      loop.callQueueWaiters()
      return count
    }
    queue.requestDrain = { time in
      switch time {
      case .thisTurn:
        drain.runThisTurn()
      case .nextTurn:
        isCutShort = true
        drain.runNextTurn()
      }
    }
    queue.delivered = { [executor] in executor.runReady() }
    watchDescriptor(queue.descriptor.rawValue, drain)
  }

  private var completionsPerTurn: Int {
    let most = configuration.queue.completionsPerDrain
    return registry.watchesOthers ? min(most, configuration.completionsPerSharedTurn) : most
  }

  private var cachedReadsPerTurn: Int {
    registry.watchesOthers
      ? configuration.cachedReadsPerSharedTurn : configuration.queue.completionsPerDrain
  }

  /// Outside of a drain, a request is accepted by asking for one, which keeps a base running, too.
  private func holdWhileQueueIsBusy() {
    let isBusy = queue.unfinishedCount > 0
    guard isBusy != isQueueBusy else { return }
    isQueueBusy = isBusy
    if isBusy { hold.begin() } else { hold.end() }
  }

  /// Calls `body` once when the queue takes requests again, which it does not now. Others may be
  /// called first, and use the room up.
  func whenQueueHasRoom(_ body: @escaping () -> Void) {
    queueWaiters.append(body)
  }

  private func callQueueWaiters() {
    guard !queueWaiters.isEmpty, queue.hasRoom() else { return }
    let due = queueWaiters
    queueWaiters = []
    for body in due { body() }
  }

  private func connectCalls() {
    let work = turnEvent(share: { $0.configuration.callsPerTurn }) { loop, limit in
      let count = loop.calls.run(on: loop, limit: limit)
      loop.counters.figures.callCount += UInt64(count)
      return count
    }
    watchDescriptor(remote.descriptor, work)
    calls.work = work
  }

  private func connectJobs() {
    executor.open(
      turnEvent(share: { $0.configuration.jobsPerTurn }) { loop, limit in
        loop.executor.run(limit: limit)
      })
  }

  /// Work keeps the loop until it returns: a callback may let go of the last reference.
  private func turnEvent(
    share: @escaping (EventLoop) -> Int,
    _ work: @escaping (_ loop: EventLoop, _ share: Int) -> Int
  ) -> TurnEvent {
    TurnEvent(in: registry, share: { [unowned self] in share(self) }, counters) {
      [unowned self] share in withExtendedLifetime(self) { work(self, share) }
    }
  }

  /// Has work done when a descriptor of the loop's own has something to say.
  ///
  /// What wakes the loop does not keep a borrowed base running. libevent does not count such an
  /// event as something that happened either, so the work is an event of its own.
  private func watchDescriptor(_ descriptor: Int32, _ work: TurnEvent) {
    Event(
      in: registry, descriptor: descriptor, flags: EV_READ | EV_PERSIST, lifetime: .uncounted
    ) { [unowned self] in
      checkThread()
      work.runThisTurn()
    }.add()
  }
}

extension FileError.Operation {
  /// Handing a call to the loop's helper threads.
  fileprivate static let helperCall = FileError.Operation("call on a helper thread")
}
