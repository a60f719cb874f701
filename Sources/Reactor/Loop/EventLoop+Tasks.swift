extension EventLoop {
  /// Starts a task on the loop's thread, from a callback or before the loop runs.
  ///
  /// The task begins in this turn or the next, not inside this call. Between its `await`s it runs
  /// as a callback does, so it may use everything that belongs to the loop. It keeps a borrowed
  /// base running until it ends.
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
    checkThread()
    hold.begin()
    let task = TaskBody(hold: hold, body: body)
    return Task(executorPreference: executor) { await task.run() }
  }

  /// As ``startTask(_:)->Task<Value,Never>``, for a task that can fail. Whoever awaits its value
  /// gets the error.
  public func startTask<Value: Sendable>(
    _ body: nonisolated(nonsending) @escaping () async throws -> Value
  ) -> Task<Value, any Error> {
    checkThread()
    hold.begin()
    let task = TaskBody(hold: hold) { () async -> Result<Value, any Error> in
      do { return .success(try await body()) } catch { return .failure(error) }
    }
    return Task(executorPreference: executor) { try await task.run().get() }
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

  /// Makes a loop, and runs it until `body` has returned.
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
    try EventLoop(configuration: configuration).run(body)
  }
}

/// What a task of a loop runs.
///
/// Sendable, although the body captures what belongs to the loop's thread: the body is made on that
/// thread, and the executor runs it, and every part of it, on that thread. The task that carries it
/// there does not look inside.
private final class TaskBody<Value>: @unchecked Sendable {
  private let hold: WorkHold
  private let body: nonisolated(nonsending) () async -> Value

  init(hold: WorkHold, body: nonisolated(nonsending) @escaping () async -> Value) {
    self.hold = hold
    self.body = body
  }

  nonisolated(nonsending) func run() async -> Value {
    defer { hold.end() }
    return await body()
  }
}
