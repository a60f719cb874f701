internal import PosixAIO

extension EventLoop {
  /// Starts a task on the loop's thread, from a callback or before the loop runs.
  ///
  /// The task begins in this turn or the next, not inside this call. Between its `await`s it runs
  /// as a callback does, so it may use everything that belongs to the loop. It keeps a borrowed
  /// base running until it ends.
  ///
  /// The loop's end cancels the task and waits for it, ``Configuration/cancellationGracePeriod`` at
  /// most. A task that has not ended by then is not run any further, which a line on standard error
  /// tells, and whoever awaits it waits for ever. A task that captures the loop keeps it: close the
  /// loop then.
  ///
  /// At the top level of `main.swift`, and elsewhere on the main actor, a closure belongs to that
  /// actor, which does not get the thread while the loop has it. Such a body traps at once; write
  /// `{ @Sendable in … }` there, which belongs to no actor, or use the static
  /// ``run(configuration:_:)``.
  ///
  /// - Parameter body: Runs on the loop's thread, and so do its child tasks, and the actors that it
  ///   calls unless they have an executor of their own; what it captures need not be `Sendable`. A
  ///   closure of an actor runs on that actor.
  /// - Returns: The task, to cancel it or to await its end from anywhere.
  @discardableResult
  public func startTask<Value: Sendable>(
    _ body: @escaping @isolated(any) () async -> Value
  ) -> Task<Value, Never> {
    checkIsolation(body.isolation)
    let body = TaskBody(of: core, body)
    let task = Task(executorPreference: core.loopTaskExecutor) { await body.run() }
    core.tasks.began(body.number) { task.cancel() }
    return task
  }

  /// As ``startTask(_:)->Task<Value,Never>``, for a task that can fail. Whoever awaits its value
  /// gets the error.
  public func startTask<Value: Sendable>(
    _ body: @escaping @isolated(any) () async throws -> Value
  ) -> Task<Value, any Error> {
    checkIsolation(body.isolation)
    let body = TaskBody(of: core) { () async -> Result<Value, any Error> in
      do { return .success(try await body()) } catch { return .failure(error) }
    }
    let task = Task(executorPreference: core.loopTaskExecutor) { try await body.run().get() }
    core.tasks.began(body.number) { task.cancel() }
    return task
  }

  /// Runs the loop until `body` has returned, for programs without an `async main`.
  ///
  /// ``stop()`` cancels the task, and the loop runs on until that returns. Other tasks of the loop
  /// are left as they are: they go on when the loop is run again, or is closed. Traps inside a
  /// callback of the loop.
  ///
  /// - Parameter body: Runs as a task on the loop's thread; see
  ///   ``startTask(_:)->Task<Value,Never>``.
  /// - Returns: What `body` returns.
  /// - Throws: What `body` throws.
  @discardableResult
  public func run<Value: Sendable, Failure: Error>(
    _ body: @escaping @isolated(any) (EventLoop) async throws(Failure) -> Value
  ) throws(Failure) -> Value {
    checkIsolation(body.isolation)
    moveToCurrentThread()
    var outcome: Result<Value, Failure>?
    let task = startTask { [self] in
      do throws(Failure) {
        outcome = .success(try await body(self))
      } catch {
        outcome = .failure(error)
      }
    }
    while true {
      run(until: { outcome != nil })
      if let outcome { return try outcome.get() }
      task.cancel()
    }
  }

  /// Makes a loop, runs it until `body` has returned, and closes it: see ``close()``.
  ///
  /// Other tasks that are left then go on while they use files, and are cancelled when they wait
  /// for anything else. They have ``Configuration/cancellationGracePeriod`` to end; a line on
  /// standard error tells of those that have not. Await a task's value in `body` to let it end by
  /// itself.
  ///
  /// ```swift
  /// let text = try EventLoop.run { loop in
  ///   let file = try await File.open("notes.txt", .readOnly, on: loop)
  ///   return String(decoding: try await file.read(into: IOBuffer(capacity: 4096), at: 0))
  /// }
  /// ```
  ///
  /// - Parameters:
  ///   - configuration: The limits of the loop.
  ///   - body: Runs as a task on the loop's thread.
  /// - Returns: What `body` returns.
  /// - Throws: What ``init(configuration:)`` and `body` throw.
  @discardableResult
  public static func run<Value: Sendable>(
    configuration: Configuration = Configuration(),
    _ body: @escaping @isolated(any) @Sendable (EventLoop) async throws -> Value
  ) throws -> Value {
    // Sendable, or a closure at the top level of a program would belong to the main actor.
    let loop = try EventLoop(configuration: configuration)
    // Other tasks may be left, which hold the loop.
    defer { loop.close() }
    return try loop.run(body)
  }

  /// Traps for what would wait for ever: the main actor's queue is not served while a loop has the
  /// main thread, and on another thread the body could not use the loop.
  private func checkIsolation(_ actor: (any Actor)?) {
    require(
      actor !== MainActor.shared,
      """
      EventLoop: this body belongs to the main actor, as closures at the top level do, and would \
      never run on the loop; write { @Sendable in … }, or start it from a nonisolated function
      """)
  }
}

/// What a task of a loop runs.
///
/// Sendable, although the body captures what belongs to the loop's thread: the body is made on that
/// thread, and the executor runs it, and every part of it, on that thread. The task that carries it
/// there does not look inside.
private final class TaskBody<Value: Sendable>: @unchecked Sendable {
  let number: Int
  private let tasks: LoopTasks
  private var body: (@isolated(any) () async -> Value)?

  init(of core: LoopCore, _ body: @escaping @isolated(any) () async -> Value) {
    core.checkThread()
    tasks = core.tasks
    number = tasks.begin()
    self.body = body
  }

  func run() async -> Value {
    defer { tasks.end(number) }
    guard let body = body.take() else { trap("EventLoop: a task runs once") }
    return await body()
  }
}
