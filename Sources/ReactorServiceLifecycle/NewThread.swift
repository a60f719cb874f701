#if ServiceLifecycle
  internal import Reactor
  internal import SystemPackage

  /// Runs a blocking call on a new thread, and waits for it without blocking a thread of the task
  /// pool.
  ///
  /// - Throws: The error of the body; `EAGAIN` if no thread can be started.
  func onNewThread(_ body: @escaping @Sendable () throws -> Void) async throws {
    try await withCheckedThrowingContinuation { (continuation: CheckedContinuation<Void, Error>) in
      do throws(Errno) {
        try startThread { continuation.resume(with: Result(catching: body)) }
      } catch {
        continuation.resume(throwing: error)
      }
    }
  }
#endif
