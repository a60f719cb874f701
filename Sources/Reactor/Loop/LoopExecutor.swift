internal import PosixAIO

extension EventLoop {
  /// Runs tasks and actors on a loop's thread, beside its callbacks.
  ///
  /// As a task executor it is for tasks that say so; child tasks inherit it. As a serial executor
  /// it pins an actor:
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
  /// **After the loop's end** an actor that is pinned to it, and a task that prefers it, still run:
  /// one part at a time, on a thread of their own. What they capture is `Sendable` or the actor's
  /// own, and a task that is dropped would never tell those who wait for it. Calls that they make
  /// to what belonged to the loop throw `ECANCELED`. Tasks of
  /// ``EventLoop/startTask(_:)->Task<Value,Never>`` are not run there: the loop's end waits for
  /// them.
  public final class Executor: SerialExecutor, TaskExecutor {
    /// A part of a task, from one `await` to the next.
    struct Job: Sendable {
      enum Kind {
        /// Of an actor that is pinned to the loop.
        case actor
        /// Of a task that prefers the executor.
        case task
        /// Of a task of the loop, which captures what belongs to the loop's thread.
        case loopTask
      }

      let job: UnownedJob
      let kind: Kind
    }

    let thread: LoopThread
    /// The thread that runs what becomes ready after the loop's end. It is not the loop's.
    private let lateThread = LoopThread()
    private let remote: Remote
    private let jobs = JobQueue()
    /// A thread that is started when it is needed: not before the loop has ended.
    private let lateJobs = HelperThreads(limit: 1)

    init(thread: LoopThread, remote: Remote) {
      self.thread = thread
      self.remote = remote
      lateThread.leave()
    }

    deinit {
      lateJobs.close()
    }

    /// For the runtime: has a part of an actor run on the loop's thread. Never runs it itself.
    ///
    /// - Parameter job: Moves in.
    public func enqueue(_ job: consuming ExecutorJob) {
      enqueue(Job(job: UnownedJob(job), kind: .actor))
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
      enqueue(Job(job: UnownedJob(job), kind: .task))
    }

    /// For the runtime: whether the calling thread is the loop's, or after its end the one that
    /// runs what is left.
    public func isIsolatingCurrentContext() -> Bool? { thread.isCurrent || lateThread.isCurrent }

    /// For the runtime: traps on any thread but the loop's.
    public func checkIsolated() {
      require(
        thread.isCurrent || lateThread.isCurrent,
        "EventLoop.Executor: expected to be on the loop's thread; await a call of its actor instead"
      )
    }

    // MARK: - For the loop

    /// Parts of tasks run so far.
    var jobCount: UInt64 { jobs.takenCount }

    /// Whether a part of a task is ready to run.
    var hasReadyJobs: Bool { jobs.count > 0 }

    /// Has `work` call ``run(limit:)``.
    ///
    /// - Parameter loopTasks: What runs the loop's own tasks; it outlives them.
    func open(_ work: TurnEvent, _ loopTasks: LoopTaskExecutor) {
      unsafe jobs.open(work, loopTasks.asUnownedTaskExecutor())
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

    /// For a cancellation: has `body` called on the loop, if that has not ended.
    func call(_ body: @escaping @Sendable (LoopCore) -> Void) {
      remote.add(.internalBody(body))
    }

    /// Runs no part of a task any more: what is ready stays for ``close(_:)``.
    func suspend() {
      jobs.isSuspended = true
    }

    /// Leaves what is ready, and `others` after it, to a thread of its own, and so what becomes
    /// ready from now on. The loop's thread is not the loop's any more.
    func close(_ others: [Job]) {
      thread.leave()
      for job in jobs.close() + others {
        runLate(job)
      }
    }

    fileprivate func enqueue(_ job: Job) {
      let isAccepted = thread.isCurrent ? jobs.append(job) : remote.add(.job(job))
      if !isAccepted { runLate(job) }
    }

    private func run(_ job: Job) {
      switch job.kind {
      case .actor:
        unsafe job.job.runSynchronously(
          isolatedTo: asUnownedSerialExecutor(), taskExecutor: asUnownedTaskExecutor())
      case .task:
        unsafe job.job.runSynchronously(on: asUnownedTaskExecutor())
      case .loopTask:
        guard let loopTasks = unsafe jobs.loopTaskExecutor else { return }
        unsafe job.job.runSynchronously(on: loopTasks)
      }
    }

    private func runLate(_ job: Job) {
      // Its captures belong to the thread that was the loop's. `LoopTasks` has told of it.
      if case .loopTask = job.kind { return }
      lateJobs.run { [self] in
        lateThread.moveHere()
        run(job)
      }
    }
  }

  /// What the tasks of ``EventLoop/startTask(_:)->Task<Value,Never>`` prefer: as the loop's
  /// executor, but it never runs them on another thread than the loop's.
  final class LoopTaskExecutor: TaskExecutor {
    private let executor: Executor

    init(_ executor: Executor) {
      self.executor = executor
    }

    func enqueue(_ job: consuming ExecutorJob) {
      executor.enqueue(Executor.Job(job: UnownedJob(job), kind: .loopTask))
    }
  }
}
