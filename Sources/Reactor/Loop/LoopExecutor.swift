internal import PosixAIO

extension EventLoop {
  /// Runs tasks and actors on a loop's thread, between its callbacks.
  ///
  /// As a task executor it runs tasks that prefer it; child tasks inherit the preference. As a
  /// serial executor it pins an actor:
  ///
  /// ```swift
  /// actor Session {
  ///   private let executor: EventLoop.Executor
  ///   nonisolated var unownedExecutor: UnownedSerialExecutor { executor.asUnownedSerialExecutor()
  ///   }
  /// }
  /// ```
  ///
  /// A task that becomes ready on the loop's thread is queued there and runs in the same turn,
  /// without a lock or a system call. From other threads it arrives by ``EventLoop/remote``.
  ///
  /// **After the loop's end** an actor that is pinned to the loop, and a task that prefers it,
  /// still run: one job at a time, on a thread of their own. Their captures are `Sendable` or the
  /// actor's own, and dropping a task would suspend the tasks that await it without end. Their
  /// calls to objects of the loop throw `ECANCELED`. Tasks of
  /// ``EventLoop/startTask(_:)->Task<Value,Never>`` do not run there: the loop's end waits for
  /// them.
  public final class Executor: SerialExecutor, TaskExecutor {
    /// A part of a task, from one `await` to the next.
    struct Job: Sendable {
      enum Kind {
        /// From an actor that is pinned to the loop.
        case actor
        /// From a task that prefers the executor.
        case task
        /// From a task of the loop, which captures objects of the loop's thread.
        case loopTask
      }

      let job: UnownedJob
      let kind: Kind
    }

    let thread: LoopThread
    /// The thread that runs jobs after the loop's end. It is not the loop's thread.
    private let lateThread = LoopThread()
    private let remote: Remote
    private let jobs = JobQueue()
    /// Its thread is started with the first job, which is after the loop's end.
    private let lateJobs = HelperThreads(limit: 1)

    init(thread: LoopThread, remote: Remote) {
      self.thread = thread
      self.remote = remote
      lateThread.leave()
    }

    deinit {
      lateJobs.close()
    }

    /// For the runtime: enqueues an actor's job on the loop's thread. Never runs it inside the
    /// call.
    ///
    /// - Parameter job: Consumed.
    public func enqueue(_ job: consuming ExecutorJob) {
      enqueue(Job(job: UnownedJob(job), kind: .actor))
    }

    /// For the runtime: enqueues a task's job on the loop's thread. Never runs it inside the call.
    ///
    /// The runtime must know that the task is on no actor. Otherwise each call of a nonisolated
    /// async function would enqueue the task again. Both protocols call their requirement
    /// `enqueue(_:)`; only this attribute can tell them apart.
    ///
    /// - Parameter job: Consumed.
    @_implements(TaskExecutor,enqueue(_:))
    public func enqueueTask(_ job: consuming ExecutorJob) {
      enqueue(Job(job: UnownedJob(job), kind: .task))
    }

    /// For the runtime: whether the calling thread is the loop's, or after its end the thread that
    /// runs the remaining jobs.
    public func isIsolatingCurrentContext() -> Bool? { thread.isCurrent || lateThread.isCurrent }

    /// For the runtime: traps on any thread but the loop's.
    public func checkIsolated() {
      require(
        thread.isCurrent || lateThread.isCurrent,
        "EventLoop.Executor: expected to be on the loop's thread; await a call of its actor instead"
      )
    }

    // MARK: - For the loop

    /// Jobs run so far.
    var jobCount: UInt64 { jobs.takenCount }

    /// Whether a job is ready to run.
    var hasReadyJobs: Bool { jobs.count > 0 }

    /// Lets `work` call ``run(limit:)`` when jobs are ready.
    ///
    /// - Parameter loopTasks: The executor of the loop's own tasks; it outlives them.
    func open(_ work: TurnEvent, _ loopTasks: LoopTaskExecutor) {
      unsafe jobs.open(work, loopTasks.asUnownedTaskExecutor())
    }

    /// Enqueues a job that another thread passed to the loop.
    func enqueueHere(_ job: Job) {
      if !jobs.append(job) { runLate(job) }
    }

    /// Runs the ready jobs, and those that become ready meanwhile.
    ///
    /// - Returns: The number of jobs that ran, at most `limit`.
    func run(limit: Int) -> Int {
      var count = 0
      while count < limit, let job = jobs.popFirst() {
        run(job)
        count += 1
      }
      jobs.runLeftOversNextTurn()
      return count
    }

    /// Runs the jobs that are ready now, and not those that become ready meanwhile.
    func runReady() {
      for _ in 0..<jobs.count {
        guard let job = jobs.popFirst() else { return }
        run(job)
      }
    }

    /// Calls `body`, which calls ``runReady()`` repeatedly, so that no event is activated for jobs.
    ///
    /// - Parameter isOver: Whether `body` processed all requests.
    func servingJobs<Value>(_ body: () -> Value, isOver: () -> Bool) -> Value {
      jobs.beginService()
      let value = body()
      jobs.endService(isOver: isOver())
      return value
    }

    /// Calls ``SuspendedTask/drainDidEnd()`` at the end of the drain that submits the task's
    /// request.
    func resumeAfterDrain(_ operation: SuspendedTask) {
      jobs.resumeAfterDrain(operation)
    }

    /// Calls `body` on the loop if the loop has not ended. For cancellations.
    func call(_ body: @escaping @Sendable (LoopCore) -> Void) {
      remote.add(.internalBody(body))
    }

    /// Stops running jobs. Ready jobs remain for ``close(_:)``.
    func suspend() {
      jobs.isSuspended = true
    }

    /// Passes the ready jobs, then `others`, and all later jobs to a thread of their own. The
    /// loop's thread is no longer the loop's.
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
      // Its captures belong to the former loop's thread. `LoopTasks` has reported the task.
      if case .loopTask = job.kind { return }
      lateJobs.run { [self] in
        lateThread.moveHere()
        run(job)
      }
    }
  }

  /// The executor that tasks of ``EventLoop/startTask(_:)->Task<Value,Never>`` prefer. Like the
  /// loop's executor, but it never runs them on another thread than the loop's.
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
