internal import PosixAIO
public import SystemPackage

/// An event loop for sockets, timers, signals and files on one thread. Wraps libevent's
/// `event_base`.
///
/// The loop belongs to the thread that creates it, until another thread runs it or calls
/// ``moveToCurrentThread()``. Callbacks run on that thread, and never inside the call that started
/// the work.
///
/// **Threads and tasks.** A loop and the objects that belong to it, such as a ``File`` or a
/// ``Connection``, are `Sendable`: any task or actor may store them and pass them on. They must be
/// used on the loop's thread, and trap elsewhere; only ``remote``, ``executor`` and
/// ``configuration`` may be used on any thread. Tasks of ``startTask(_:)->Task<Value,Never>`` run
/// on the loop's thread. So do their child tasks, the functions that they call, and actors without
/// an executor of their own. Make an actor a ``LoopActor`` if other tasks call it too.
///
/// Files use the loop's ``queue``, whose descriptor is an ordinary read event of the base.
///
/// **The end of a loop.** A loop ends by ``close()``, by ``shutDown(within:)``, or with the last
/// reference to it. Objects that belong to it, such as a ``File``, do not keep it alive; handlers
/// and tasks that capture it do. Every accepted operation completes once before the loop has ended:
/// with its own result, or with `ECANCELED`. If the last reference goes while work is in progress,
/// the remaining handlers are called on the thread that releases it: at once, or when the loop's
/// current callback has returned. This takes at most ``Configuration/cancellationGracePeriod``. If
/// a loop over a borrowed base loses its last reference on another thread, it ends when its own
/// thread next runs the base.
///
/// **Refusals.** No call that takes a completion handler throws. A call that the loop does not
/// accept starts nothing and fails like any other: its handler is called in the next turn, never
/// inside the call. The error is `EBADF` if the object is closed, `EAGAIN` over a limit, `EINVAL`
/// for an argument out of range, and `ECANCELED` while the loop is being cut off. A buffer is
/// returned with the error. So every handler is called exactly once. Calls without a handler, such
/// as ``Connection/write(_:)-(RawSpan)``, throw their errno instead.
///
/// A loop that has ended has no next turn: the handler is called with `ECANCELED` before the call
/// returns. Calls that release a resource, such as ``File/close(_:)``, still do so and report their
/// own result. A handler that retries after every error would then recurse without end; do not
/// retry after `ECANCELED`.
///
/// **Misuse.** A violated requirement is a bug in the caller, and traps with a sentence, in release
/// builds too. Use on another thread or in a forked child is misuse. Closing, cancelling or
/// stopping twice is harmless.
@safe
public final class EventLoop: Sendable {
  package let core: LoopCore

  /// Creates a loop with an event base and a completion queue of its own.
  ///
  /// - Parameter configuration: The limits; a value out of range traps.
  /// - Throws: The errors of ``/PosixAIO/CompletionQueue/init(configuration:)``; `EMFILE` or a
  ///   similar error if the base cannot get descriptors. Nothing was created.
  public convenience init(configuration: Configuration = Configuration()) throws(Errno) {
    self.init(try unsafe LoopCore(base: nil, configuration))
    core.setHandle(self)
  }

  /// Creates a loop over an event base that other code created and runs.
  ///
  /// The loop adds its events to the base, and removes them when it ends. It neither frees the base
  /// nor stops it. Its work happens while the base runs, by ``run()`` or C's `event_base_dispatch`.
  /// Run the base on the thread that creates this loop, or call ``moveToCurrentThread()`` on
  /// another one first.
  ///
  /// Work in progress keeps `event_base_dispatch` from returning: file operations, offloaded work,
  /// tasks, timers and watches. Pending calls in ``remote`` do not keep the base running; add a
  /// persistent event if you need that.
  ///
  /// - Parameters:
  ///   - base: libevent's `event_base`. It must outlive the loop.
  ///   - configuration: The limits.
  /// - Throws: As ``init(configuration:)``. The base is unchanged.
  @unsafe
  public convenience init(
    borrowing base: OpaquePointer, configuration: Configuration = Configuration()
  ) throws(Errno) {
    self.init(try unsafe LoopCore(base: base, configuration))
    core.setHandle(self)
  }

  /// Another reference to a loop, for code that receives one as an argument.
  init(_ core: LoopCore) {
    self.core = core
  }

  deinit {
    core.handleIsGoing()
  }

  /// Passes calls to the loop from other threads.
  public var remote: Remote { core.remote }

  /// Runs tasks and actors on the loop's thread.
  public var executor: Executor { core.executor }

  /// The limits that the loop was created with.
  public var configuration: Configuration { core.configuration }

  /// Makes the calling thread the loop's. Call it before this thread runs a borrowed base of
  /// another thread's loop. After that, no other thread may use the loop.
  ///
  /// The calling thread's signal mask blocks the queue's signal until the loop ends there, or until
  /// ``leaveCurrentThread()``. A thread cannot change another thread's mask: call
  /// ``leaveCurrentThread()`` on the former thread first, or the signal stays blocked there.
  public func moveToCurrentThread() {
    core.moveToCurrentThread()
  }

  /// Restores the calling thread's signal mask, before another thread takes the loop over with
  /// ``moveToCurrentThread()``.
  ///
  /// Until then the loop still works on this thread, by the signal's handler.
  public func leaveCurrentThread() {
    core.checkThread()
    core.queue.leaveCurrentThread()
  }

  /// Calls `body` in the next turn of the loop, after all descriptors and timers were checked once.
  ///
  /// The call is made before the loop has ended, however the loop ends.
  ///
  /// - Parameter body: Called once, on the loop's thread, never inside this call. Calls are made in
  ///   the order of their `nextTurn` calls.
  /// - Returns: Whether `body` will be called. False while the loop is being cut off and after its
  ///   end; `body` is dropped then.
  @discardableResult
  public func nextTurn(_ body: @escaping () -> Void) -> Bool {
    guard core.refusal == nil, !core.refusesWork else { return false }
    core.callNextTurn(body)
    return true
  }

  /// Runs blocking work on a helper thread, then calls `completion` on the loop.
  ///
  /// At most ``Configuration/offloadThreadLimit`` threads run such work at a time; further work is
  /// queued. File calls have threads of their own.
  ///
  /// - Parameters:
  ///   - work: Runs on another thread, with all signals blocked.
  ///   - completion: Called once, on the loop's thread: with the work's result; with `EAGAIN` over
  ///     ``Configuration/offloadLimit``, when nothing was started; or with `ECANCELED` when the
  ///     loop is cut off, when the work was not started or continues with its result discarded.
  public func offload<Value: Sendable>(
    _ work: @escaping @Sendable () -> Value,
    _ completion: @escaping (Result<Value, Errno>) -> Void
  ) {
    if let refusal = core.refusal { return core.complete { completion(.failure(refusal)) } }
    core.helpers.run(.offloaded, work, completion)
  }

  /// Runs blocking work on a helper thread and awaits its result; see ``offload(_:_:)``.
  ///
  /// - Parameter work: Runs on another thread, with all signals blocked. Work that has started runs
  ///   to its end, even if the task is cancelled.
  /// - Returns: The value that `work` returns.
  /// - Throws: The error that `work` throws. `ECANCELED` if the task was already cancelled,
  ///   `EAGAIN` over ``Configuration/offloadLimit``: nothing was started. `ECANCELED` when the loop
  ///   is cut off.
  nonisolated(nonsending) public func offload<Value: Sendable>(
    _ work: @escaping @Sendable () throws -> Value
  ) async throws -> Value {
    try core.checkUse()
    guard !Task.isCancelled else { throw Errno.canceled }
    let promise = Promise<Result<Value, any Error>, Errno>(on: core)
    offload({ Result { try work() } }, promise.finish)
    return try await promise.value(cancel: {}).get()
  }

  // MARK: - Ends

  /// Completes the work in progress and releases all resources.
  ///
  /// The steps are:
  ///
  /// 1. Timers and signal and descriptor watches are cancelled, and new ones make no calls.
  ///    Listeners and connections are closed; operations that wait for them, for a connection
  ///    attempt or for a lock complete with `ECANCELED`. From now on none of these can be started,
  ///    and ``remote`` refuses calls.
  /// 2. File operations, offloaded work, and calls of the next turn and of other threads complete
  ///    with their own results, and so does the work that their handlers start. Tasks continue
  ///    meanwhile. Cancel operations that may block indefinitely first, such as a read from a pipe.
  ///    Handlers that keep starting new work keep the loop from closing; ``shutDown(within:)`` has
  ///    a limit for that.
  /// 3. Remaining tasks wait for something other than the loop, or do not use it. They are
  ///    cancelled, and have ``Configuration/cancellationGracePeriod`` to end. Then the loop is cut
  ///    off as by ``shutDown(within:)``, and they have the same time again.
  /// 4. The loop's events are removed from the base. The base is freed if the loop created it.
  ///
  /// If connections have output to send, close them first. After this call the loop offers only
  /// ``remote``, which refuses calls; its files can still be closed. Closing breaks the reference
  /// cycles of callbacks that capture the loop.
  ///
  /// Does nothing if the loop has already ended. Traps inside a callback of the loop.
  public func close() {
    guard !core.hasEnded else { return }
    checkEnd("EventLoop: a callback must not close its loop; stop() it first")
    core.finish()
  }

  /// Shuts the loop down gracefully, within a time limit.
  ///
  /// Listeners are shut down at once; see ``Listener/shutDown()``. Then the loop runs until its
  /// connections have closed and all other accepted work has completed, until the time is over, or
  /// until ``stop()``. Remaining work is cut off: connections are closed, tasks are cancelled, and
  /// other operations complete with `ECANCELED`. Helper threads and tasks get
  /// ``Configuration/cancellationGracePeriod`` more. Finally the loop is closed.
  ///
  /// The loop cannot know which connections are idle. Code that keeps idle connections open must
  /// close them.
  ///
  /// Traps inside a callback of the loop.
  ///
  /// - Parameter timeout: The longest time to wait for work in progress, 0 or more.
  /// - Returns: Whether all work completed with its own result. True if the loop had already ended.
  @discardableResult
  public func shutDown(within timeout: Duration) -> Bool {
    require(timeout >= .zero, "EventLoop: a timeout is 0 or more")
    guard !core.hasEnded else { return true }
    checkEnd("EventLoop: a callback must not shut its loop down; stop() it first")
    core.sockets.closeListeners(gracefully: timeout > .zero)
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
    // Clears a stop that no run has consumed.
    core.runState = .idle
  }
}
