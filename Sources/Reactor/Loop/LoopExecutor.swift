extension EventLoop {
  /// Runs tasks and actors on a loop's thread, beside its callbacks.
  ///
  /// As a task executor it is what ``EventLoop/startTask(_:)->Task<Value,Never>`` gives a task;
  /// child tasks inherit it. As a serial executor it pins an actor:
  ///
  /// ```swift
  /// actor Session {
  ///   private let executor: EventLoop.Executor
  ///   nonisolated var unownedExecutor: UnownedSerialExecutor { executor.asUnownedSerialExecutor()
  ///   }
  /// }
  /// ```
  ///
  /// A task that becomes ready on the loop's thread waits there, and is run in the same turn:
  /// no lock, no system call. From other threads it comes through ``EventLoop/remote``.
  ///
  /// What becomes ready after the loop is gone is run all the same, one at a time, on a thread of
  /// its own: a task that is dropped would never tell those who wait for it.
  public final class Executor: SerialExecutor, TaskExecutor {
    /// A part of a task, from one `await` to the next.
    struct Job: Sendable {
      let job: UnownedJob
      /// Whether it is of an actor that is pinned to the loop.
      let isIsolated: Bool
    }

    let thread: LoopThread
    private let remote: Remote
    private let jobs = JobQueue()
    /// A thread that is started when it is needed: not before the loop is gone.
    private let lateJobs = HelperThreads(limit: 1)

    init(thread: LoopThread, remote: Remote) {
      self.thread = thread
      self.remote = remote
    }

    deinit {
      lateJobs.close()
    }

    /// For the runtime: has a part of an actor run on the loop's thread. Never runs it itself.
    ///
    /// - Parameter job: Moves in.
    public func enqueue(_ job: consuming ExecutorJob) {
      enqueue(Job(job: UnownedJob(job), isIsolated: true))
    }

    /// For the runtime: has a part of a task run on the loop's thread. Never runs it itself.
    ///
    /// The runtime is to know that the task is on no actor: otherwise each call of an asynchronous
    /// function that belongs to none would have the task queue up again. The attribute is the only
    /// way to tell apart what the two protocols call by the same name.
    ///
    /// - Parameter job: Moves in.
    @_implements(TaskExecutor,enqueue(_:))
    public func enqueueTask(_ job: consuming ExecutorJob) {
      enqueue(Job(job: UnownedJob(job), isIsolated: false))
    }

    /// For the runtime: whether the calling thread is the loop's.
    public func isIsolatingCurrentContext() -> Bool? { thread.isCurrent }

    /// For the runtime: traps on any thread but the loop's.
    public func checkIsolated() {
      precondition(
        thread.isCurrent,
        "EventLoop.Executor: expected to be on the loop's thread; await a call of its actor instead"
      )
    }

    // MARK: - For the loop

    /// Parts of tasks run so far.
    var jobCount: UInt64 { jobs.takenCount }

    /// Has `work` call ``run(limit:)``.
    func open(_ work: TurnEvent) {
      jobs.open(work)
    }

    /// Takes what another thread passed on.
    func enqueueHere(_ job: Job) {
      if !jobs.append(job) { runLate(job) }
    }

    /// Runs what is ready, and what becomes ready meanwhile.
    ///
    /// - Returns: The number of parts of tasks that were run, at most `limit`.
    func run(limit: Int) -> Int {
      var count = 0
      while count < limit, let job = jobs.popFirst() {
        run(job)
        count += 1
      }
      jobs.runLeftOversNextTurn()
      return count
    }

    /// Runs what is ready now, without what becomes ready meanwhile.
    func runReady() {
      for _ in 0..<jobs.count {
        guard let job = jobs.popFirst() else { return }
        run(job)
      }
    }

    /// Calls `body`, which calls ``runReady()`` again and again: nothing else is asked to run what
    /// becomes ready meanwhile.
    ///
    /// - Parameter isOver: Whether `body` did all that there was to do.
    func servingJobs<Value>(_ body: () -> Value, isOver: () -> Bool) -> Value {
      jobs.beginService()
      let value = body()
      jobs.endService(isOver: isOver())
      return value
    }

    /// Has ``Awaited/drainEnded()`` called when the drain ends that hands its request over.
    func noteFresh(_ operation: Awaited) {
      jobs.noteFresh(operation)
    }

    /// For a cancellation: has `body` called on the loop, if that still is.
    func call(_ body: @escaping @Sendable (EventLoop) -> Void) {
      remote.add(.body(body))
    }

    /// Leaves what is ready, and `others` behind it, to a thread of its own, and so what becomes
    /// ready from now on. The loop's thread is not the loop's any more.
    func close(_ others: [Job]) {
      thread.leave()
      for job in jobs.close() + others {
        runLate(job)
      }
    }

    private func enqueue(_ job: Job) {
      let isAccepted = thread.isCurrent ? jobs.append(job) : remote.add(.job(job))
      if !isAccepted { runLate(job) }
    }

    private func run(_ job: Job) {
      if job.isIsolated {
        unsafe job.job.runSynchronously(
          isolatedTo: asUnownedSerialExecutor(), taskExecutor: asUnownedTaskExecutor())
      } else {
        unsafe job.job.runSynchronously(on: asUnownedTaskExecutor())
      }
    }

    private func runLate(_ job: Job) {
      lateJobs.run { [self] in
        thread.moveHere()
        run(job)
      }
    }
  }
}
