internal import PosixAIO

extension EventLoop {
  /// Starts a task on the loop's thread, from a callback or before the loop runs.
  ///
  /// The task begins in this turn or the next, not inside this call. Between its `await`s it runs
  /// like a callback, so it may use everything that belongs to the loop. It keeps a borrowed base
  /// running until it ends.
  ///
  /// The loop's end cancels the task and waits for it, at most
  /// ``Configuration/cancellationGracePeriod``. A task that has not ended by then does not run any
  /// further: a line on standard error reports it, and an `await` of its value never returns. The
  /// same applies to a task that one of the last handlers starts after that time. A task that
  /// captures the loop keeps the loop alive; close the loop in that case.
  ///
  /// At the top level of `main.swift`, and elsewhere on the main actor, a closure belongs to the
  /// main actor, which cannot run while the loop has the thread. Such a body traps at once. Write
  /// `{ @Sendable in … }` there, which belongs to no actor, or use the static
  /// ``run(configuration:_:)``.
  ///
  /// - Parameter body: Runs on the loop's thread, like its child tasks, and the actors that it
  ///   calls if they have no executor of their own. Its captures need not be `Sendable`. A closure
  ///   of an actor runs on that actor.
  /// - Returns: The task. Cancel it or await it from anywhere.
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

  /// As ``startTask(_:)->Task<Value,Never>``, for a task that can fail. Awaiting its value throws
  /// the error.
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
  /// ``stop()`` cancels the task, and the loop runs until the task returns. Other tasks of the loop
  /// are not affected: they continue when the loop is run again, or closed. Traps inside a callback
  /// of the loop.
  ///
  /// - Parameter body: Runs as a task on the loop's thread; see
  ///   ``startTask(_:)->Task<Value,Never>``.
  /// - Returns: The value that `body` returns.
  /// - Throws: The error that `body` throws.
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

  /// Creates a loop, runs it until `body` has returned, and closes it; see ``close()``.
  ///
  /// Other tasks that are left then continue while they use files, and are cancelled when they wait
  /// for anything else. They have ``Configuration/cancellationGracePeriod`` to end; a line on
  /// standard error reports those that have not ended. To let a task end by itself, await its value
  /// in `body`.
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
  /// - Returns: The value that `body` returns.
  /// - Throws: The errors of ``init(configuration:)`` and of `body`.
  @discardableResult
  public static func run<Value: Sendable>(
    configuration: Configuration = Configuration(),
    _ body: @escaping @isolated(any) @Sendable (EventLoop) async throws -> Value
  ) throws -> Value {
    // Sendable, so that a closure at the top level of a program does not belong to the main actor.
    let loop = try EventLoop(configuration: configuration)
    // Remaining tasks may retain the loop.
    defer { loop.close() }
    return try loop.run(body)
  }

  /// Traps on bodies that would never run: the main actor's queue is not served while a loop has
  /// the main thread, and on another thread the body could not use the loop.
  private func checkIsolation(_ actor: (any Actor)?) {
    require(
      actor !== MainActor.shared,
      """
      EventLoop: this body belongs to the main actor, as closures at the top level do, and would \
      never run on the loop; write { @Sendable in … }, or start it from a nonisolated function
      """)
  }
}

/// The body of a loop task.
///
/// Sendable although the body captures objects of the loop's thread: the body is created on that
/// thread, and the executor runs all its jobs there. The task that carries it does not access it.
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
