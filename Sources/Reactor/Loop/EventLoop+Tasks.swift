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
  /// actor, whose queue nobody serves while the loop has the thread: start from a function that is
  /// `nonisolated`, or by the static ``run(configuration:_:)``.
  ///
  /// - Parameter body: Runs on the loop's thread, and so do its child tasks, and the actors that it
  ///   calls unless they have an executor of their own; what it captures need not be `Sendable`.
  /// - Returns: The task, to cancel it or to await its end from anywhere.
  @discardableResult
  public func startTask<Value: Sendable>(
    _ body: nonisolated(nonsending) @escaping () async -> Value
  ) -> Task<Value, Never> {
    let body = TaskBody(of: core, body)
    let task = Task(executorPreference: core.loopTaskExecutor) { await body.run() }
    core.tasks.began(body.number) { task.cancel() }
    return task
  }

  /// As ``startTask(_:)->Task<Value,Never>``, for a task that can fail. Whoever awaits its value
  /// gets the error.
  public func startTask<Value: Sendable>(
    _ body: nonisolated(nonsending) @escaping () async throws -> Value
  ) -> Task<Value, any Error> {
    let body = TaskBody(of: core) { () async -> Result<Value, any Error> in
      do { return .success(try await body()) } catch { return .failure(error) }
    }
    let task = Task(executorPreference: core.loopTaskExecutor) { try await body.run().get() }
    core.tasks.began(body.number) { task.cancel() }
    return task
  }

  /// Runs the loop until `body` has returned, for programs without an `async main`.
  ///
  /// ``stop()`` cancels the task, and the loop runs on until that returns. Traps inside a callback
  /// of the loop.
  ///
  /// - Parameter body: Runs as a task on the loop's thread.
  /// - Returns: What `body` returns.
  /// - Throws: What `body` throws.
  public func run<Value, Failure: Error>(
    _ body: nonisolated(nonsending) @escaping (EventLoop) async throws(Failure) -> Value
  ) throws(Failure) -> Value {
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
  public static func run<Value>(
    configuration: Configuration = Configuration(),
    _ body: nonisolated(nonsending) @escaping @Sendable (EventLoop) async throws -> Value
  ) throws -> Value {
    // Sendable, or a closure at the top level of a program would belong to the main actor, whose
    // queue nobody serves while the loop has the thread.
    let loop = try EventLoop(configuration: configuration)
    // Other tasks may be left, which hold the loop.
    defer { loop.close() }
    return try loop.run(body)
  }
}

/// What a task of a loop runs.
///
/// Sendable, although the body captures what belongs to the loop's thread: the body is made on that
/// thread, and the executor runs it, and every part of it, on that thread. The task that carries it
/// there does not look inside.
private final class TaskBody<Value>: @unchecked Sendable {
  let number: Int
  private let tasks: LoopTasks
  private var body: (nonisolated(nonsending) () async -> Value)?

  init(of core: LoopCore, _ body: nonisolated(nonsending) @escaping () async -> Value) {
    core.checkThread()
    tasks = core.tasks
    number = tasks.begin()
    self.body = body
  }

  nonisolated(nonsending) func run() async -> Value {
    defer { tasks.end(number) }
    guard let body = body.take() else { trap("EventLoop: a task runs once") }
    return await body()
  }
}
