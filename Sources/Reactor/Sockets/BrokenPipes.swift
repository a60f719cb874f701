internal import CReactor

/// Keeps SIGPIPE from a loop's thread while something in the loop writes to sockets by `writev(2)`,
/// which cannot be told not to raise it.
///
/// The signal is blocked in that thread, so that the write fails with `EPIPE` and nothing else
/// happens. The process's disposition stays as it is.
package final class BrokenPipes {
  private var holdCount = 0
  /// The threads in which it is blocked for this loop.
  private var threads: Set<UInt> = []

  /// Blocks the signal in the calling thread, the loop's, until the matching ``release()``.
  package func hold() {
    holdCount += 1
    threadChanged()
  }

  /// With the last one, the calling thread's mask is as it was before the first ``hold()``, and a
  /// SIGPIPE that was raised meanwhile is gone.
  package func release() {
    precondition(holdCount > 0, "BrokenPipes: released more often than held")
    holdCount -= 1
    guard holdCount == 0 else { return }
    if threads.contains(creactor_thread_number()) { creactor_release_broken_pipes() }
    threads = []
  }

  /// The calling thread is the loop's from now on. A thread cannot change another one's mask, so
  /// the former keeps SIGPIPE blocked.
  func threadChanged() {
    guard holdCount > 0, threads.insert(creactor_thread_number()).inserted else { return }
    creactor_hold_broken_pipes()
  }
}
