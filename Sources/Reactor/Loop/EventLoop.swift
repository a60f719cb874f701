internal import PosixAIO
public import SystemPackage

/// An event loop for sockets, timers, signals and files on one thread. Wraps libevent's
/// `event_base`.
///
/// The loop belongs to the thread that makes it, until another one runs it or calls
/// ``moveToCurrentThread()``. Callbacks run on that thread, and never from inside the call that
/// started the work.
///
/// **Threads and tasks.** A loop and what belongs to it, such as a ``File`` or a ``Connection``,
/// are `Sendable`: any task or actor may keep them and pass them on. They are used on the loop's
/// thread, and trap elsewhere; only ``remote``, ``executor`` and ``configuration`` are for any
/// thread. Tasks of ``startTask(_:)->Task<Value,Never>`` run on that thread, and with them their
/// child tasks, the functions that they call, and the actors that have no executor of their own. An
/// actor that other tasks call, too, is a ``LoopActor``.
///
/// Files go through the loop's ``queue``, whose descriptor is an ordinary read event of the base.
///
/// **Its end.** A loop ends by ``close()``, by ``shutDown(within:)``, or with the last reference to
/// it. What belongs to it, such as a ``File``, does not keep it; handlers and tasks that capture it
/// do. Whatever was accepted is answered once before the loop has ended: with its own result, or
/// with `ECANCELED`. When the last reference goes while work is in progress, the handlers are
/// called by then, on the thread that lets go of it: at once, or when the callback of the loop that
/// is running has returned. That takes ``Configuration/cancellationGracePeriod`` at most. Where it
/// goes on another thread, a loop over a borrowed base ends when its own thread runs that next.
///
/// **Refusals.** No call that takes a completion handler throws. One that the loop does not accept
/// starts nothing and fails like any other: its handler is called in the next turn, never from
/// inside the call, with `EBADF` for what was closed, `EAGAIN` over a limit, `EINVAL` for an
/// argument that is out of range, and `ECANCELED` while the loop is being cut off. A buffer comes
/// back with the error. So every handler is called once, however its call ends. Calls without a
/// handler, such as ``Connection/write(_:)-(RawSpan)``, throw their errno instead.
///
/// A loop that has ended has no next turn: the handler is called at once, before the call returns,
/// with `ECANCELED`. What gives something back still does so, such as ``File/close(_:)``, and
/// reports its own result. A handler that repeats its call after every error never gets done then:
/// let it stop at `ECANCELED`.
///
/// **Misuse.** A violated requirement is a bug of the caller, and traps with a sentence, in release
/// builds too. Use on another thread is one, and use in a fork's child. Closing, cancelling and
/// stopping twice are none.
@safe
public final class EventLoop: Sendable {
  package let core: LoopCore

  /// Makes a loop with an event base and a completion queue of its own.
  ///
  /// - Parameter configuration: The limits; those that are out of their range trap.
  /// - Throws: What ``/PosixAIO/CompletionQueue/init(configuration:)`` throws; `EMFILE` or its like
  ///   for the descriptors of the base. Nothing stays behind.
  public convenience init(configuration: Configuration = Configuration()) throws(Errno) {
    self.init(try unsafe LoopCore(base: nil, configuration))
    core.setHandle(self)
  }

  /// Makes a loop of an event base that somebody else made, and runs.
  ///
  /// The loop adds events of its own, and takes them out when it ends; it neither frees the base
  /// nor makes its loop return. It works by whoever runs the base: ``run()`` or C's
  /// `event_base_dispatch`, on the thread that makes this loop, or else that calls
  /// ``moveToCurrentThread()`` first.
  ///
  /// What is in progress keeps `event_base_dispatch` from returning: file operations, offloaded
  /// work, tasks, timers and watches. Calls that wait in ``remote`` do not: a base that is to wait
  /// for them needs an event that stays.
  ///
  /// - Parameters:
  ///   - base: libevent's `event_base`. It outlives the loop.
  ///   - configuration: The limits.
  /// - Throws: As ``init(configuration:)``. The base is as it was.
  @unsafe
  public convenience init(
    borrowing base: OpaquePointer, configuration: Configuration = Configuration()
  ) throws(Errno) {
    self.init(try unsafe LoopCore(base: base, configuration))
    core.setHandle(self)
  }

  /// Another reference to a loop, for code that gets one as an argument.
  init(_ core: LoopCore) {
    self.core = core
  }

  deinit {
    core.handleIsGoing()
  }

  /// Reaches the loop from other threads.
  public var remote: Remote { core.remote }

  /// Runs tasks and actors on the loop's thread.
  public var executor: Executor { core.executor }

  /// The limits with which the loop was made.
  public var configuration: Configuration { core.configuration }

  /// Makes the calling thread the loop's, before it runs a borrowed base that another thread gave
  /// a loop. No other thread uses the loop any more.
  ///
  /// The queue's signal is blocked in the calling thread until the loop's end on it, or until
  /// ``leaveCurrentThread()``. A thread cannot change the mask of another one: call
  /// ``leaveCurrentThread()`` on the former thread before, or it keeps the signal blocked.
  public func moveToCurrentThread() {
    core.moveToCurrentThread()
  }

  /// Gives the calling thread the signal mask back that it had, before another thread takes the
  /// loop over with ``moveToCurrentThread()``.
  ///
  /// The loop goes on to work here too, by the signal's handler, until then.
  public func leaveCurrentThread() {
    core.checkThread()
    core.queue.leaveCurrentThread()
  }

  /// Calls `body` in the next turn of the loop, after everything else of the present one: after a
  /// look at all descriptors and timers.
  ///
  /// The call is work of the loop: it is made before the loop has ended, however that ends.
  ///
  /// - Parameter body: Called once, on the loop's thread, and never from inside this call. Calls
  ///   are made in the order in which they were asked for.
  /// - Returns: Whether the loop will make the call; false while it is being cut off and after its
  ///   end, when `body` is dropped.
  @discardableResult
  public func nextTurn(_ body: @escaping () -> Void) -> Bool {
    guard core.refusal == nil, !core.refusesWork else { return false }
    core.later(body)
    return true
  }

  /// Runs blocking work on a helper thread, then `completion` on the loop.
  ///
  /// At most ``Configuration/offloadThreadLimit`` threads do so at a time; further work waits its
  /// turn. Calls on files have threads of their own.
  ///
  /// - Parameters:
  ///   - work: Runs on another thread, where signals are blocked.
  ///   - completion: Called once, on the loop's thread, with the work's result; with `EAGAIN` over
  ///     ``Configuration/offloadLimit``, when nothing was started; or with `ECANCELED` when the
  ///     loop is cut off, when the work was not started, or goes on unseen.
  public func offload<Value: Sendable>(
    _ work: @escaping @Sendable () -> Value,
    _ completion: @escaping (Result<Value, Errno>) -> Void
  ) {
    if let refusal = core.refusal { return core.complete { completion(.failure(refusal)) } }
    core.helpers.run(.offloaded, work, completion)
  }

  /// Runs blocking work on a helper thread, and waits for it; see ``offload(_:_:)``.
  ///
  /// - Parameter work: Runs on another thread, where signals are blocked. Once it has begun it goes
  ///   on to its end, also when the task is cancelled.
  /// - Returns: What `work` returns.
  /// - Throws: What `work` throws. `ECANCELED` in a task that is cancelled before, `EAGAIN` over
  ///   ``Configuration/offloadLimit``: nothing was started. `ECANCELED` when the loop is cut off.
  nonisolated(nonsending) public func offload<Value: Sendable>(
    _ work: @escaping @Sendable () throws -> Value
  ) async throws -> Value {
    try core.checkUse()
    guard !Task.isCancelled else { throw Errno.canceled }
    let pending = Pending<Result<Value, any Error>, Errno>(on: core)
    offload({ Result { try work() } }, pending.finish)
    return try await pending.value(cancel: {}).get()
  }

  // MARK: - Ends

  /// Finishes what is in progress, and gives everything back.
  ///
  /// In this order:
  ///
  /// 1. Timers, signal and descriptor watches are cancelled, and those that are made from now on
  ///    call nobody. Listeners and connections are closed; those who wait for them, for a
  ///    connection attempt or for a lock get `ECANCELED`. From now on none of these can be started,
  ///    and ``remote`` refuses.
  /// 2. File operations, offloaded work, calls of the next turn and of other threads come to their
  ///    own results, and so does what their handlers start. Tasks go on with them. Cancel first
  ///    what might wait for ever, such as a read from a pipe; who starts new work again and again
  ///    keeps the loop from closing, which ``shutDown(within:)`` bounds.
  /// 3. Tasks that are left wait for something other than the loop, or do without it. They are
  ///    cancelled, and have ``Configuration/cancellationGracePeriod`` to end.
  /// 4. The loop's events are taken out of the base, which is freed if it is the loop's own.
  ///
  /// Close connections before that are to send what they hold. Afterwards the loop is only good for
  /// ``remote``, which refuses; its files can be closed still. Closing breaks the circles of
  /// callbacks that capture the loop.
  ///
  /// Does nothing when the loop has ended before. Traps inside a callback of the loop.
  public func close() {
    guard !core.hasEnded else { return }
    checkEnd("EventLoop: a callback must not close its loop; stop() it first")
    core.finish()
  }

  /// Closes the loop in good order, and within a time.
  ///
  /// Listeners are closed at once. Then the loop runs until its connections have closed and
  /// everything else that it has accepted has ended, or until the time is over, or ``stop()``. What
  /// is left is cut off: connections are closed, tasks cancelled, and the rest is answered with
  /// `ECANCELED`. What runs on helper threads, and tasks, get
  /// ``Configuration/cancellationGracePeriod`` more. At last the loop is closed.
  ///
  /// It cannot know which connections are idle: whoever keeps them open for a next request closes
  /// them.
  ///
  /// Traps inside a callback of the loop.
  ///
  /// - Parameter timeout: The longest to wait for what is in progress, 0 or more.
  /// - Returns: Whether everything ended by itself, with its own result; true when the loop has
  ///   ended before, since nothing was left to end.
  @discardableResult
  public func shutDown(within timeout: Duration) -> Bool {
    require(timeout >= .zero, "EventLoop: a time is 0 or more")
    guard !core.hasEnded else { return true }
    checkEnd("EventLoop: a callback must not shut its loop down; stop() it first")
    core.sockets.closeListeners()
    let obligations = core.obligations
    let hasEnded =
      timeout == .zero
      ? obligations.isEmpty : run(until: { obligations.isEmpty }, timeout: timeout)
    if hasEnded { core.finish() } else { core.cancel() }
    return hasEnded
  }

  private func checkEnd(_ advice: @autoclosure () -> String) {
    core.checkThread()
    require(core.runState != .running && !core.registry.isInCallback, advice())
    // A stop that no run has seen is for none any more.
    core.runState = .idle
  }
}
