#if NIO
  public import NIOCore

  /// Runs tasks on an event loop.
  ///
  /// SwiftNIO's loops are executors of actors only. On an executor of this type, a task that has no
  /// actor runs on the loop, and the async calls of a ``LoopFile`` neither leave the loop nor wait
  /// for it:
  ///
  /// ```swift
  /// let executor = LoopTaskExecutor(eventLoop)
  /// Task(executorPreference: executor) {
  ///   let chunk = try await file.readChunk(fromAbsoluteOffset: 0, length: 4096)
  /// }
  /// ```
  ///
  /// Parts of tasks that become ready in one turn of the loop run one after the other, before the
  /// loop looks at its sockets again. A task that never waits holds up the loop.
  ///
  /// While the loop shuts down it still runs its tasks. After that nothing can run on it any more,
  /// and the tasks continue on Swift's global executor, so that each comes to its end: calls on
  /// files then throw `ECANCELED`.
  @safe
  public final class LoopTaskExecutor: TaskExecutor, @unchecked Sendable {
    // Sendable: `jobs` is used on the loop only.

    /// The loop.
    public let eventLoop: any EventLoop

    /// What the loop is going to run in this turn; it has been asked to if there is anything.
    private var jobs: [UnownedJob] = []
    private var spareJobs: [UnownedJob] = []

    /// Creates an executor. Executors of the same loop are independent of each other.
    ///
    /// - Parameter eventLoop: Any loop.
    public init(_ eventLoop: any EventLoop) {
      self.eventLoop = eventLoop
    }

    /// Runs a part of a task on the loop. Swift's runtime calls it on any thread.
    ///
    /// - Parameter job: The part of a task.
    public func enqueue(_ job: consuming ExecutorJob) {
      let job = UnownedJob(job)
      guard eventLoop.inEventLoop else {
        return LoopCall.run(on: eventLoop) { [self] in
          unsafe job.runSynchronously(on: asUnownedTaskExecutor())
        } orElse: {
          globalConcurrentExecutor.enqueue(job)
        }
      }
      jobs.append(job)
      // One call of the loop for all of them.
      if jobs.count == 1 { eventLoop.execute { self.runJobs() } }
    }

    private func runJobs() {
      var running = spareJobs
      spareJobs = []
      swap(&running, &jobs)
      let executor = unsafe asUnownedTaskExecutor()
      for job in running { unsafe job.runSynchronously(on: executor) }
      running.removeAll(keepingCapacity: true)
      spareJobs = running
    }
  }
#endif
