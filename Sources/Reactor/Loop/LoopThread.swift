internal import Glibc
internal import PosixAIO
internal import Synchronization

/// The thread that a loop belongs to. Any thread may check whether it is that thread.
final class LoopThread: Sendable {
  private let owner = Atomic(pthread_self())
  private let forkGeneration = ForkGeneration.current
  // Written on the loop's thread.
  private let isBusy = Atomic(false)

  /// False in a forked child, which must not use the descriptors that it shares with its parent.
  var isOfThisProcess: Bool { forkGeneration == .current }

  /// Whether the calling thread is the loop's. Relaxed ordering suffices: a thread reads either its
  /// own write or a value that differs from its own ID.
  var isCurrent: Bool { owner.load(ordering: .relaxed) == pthread_self() && isOfThisProcess }

  /// Keeps other threads from taking the loop over while `body` runs or ends it.
  func whileBusy<Value>(_ body: () -> Value) -> Value {
    let former = isBusy.load(ordering: .relaxed)
    isBusy.store(true, ordering: .relaxed)
    defer { isBusy.store(former, ordering: .releasing) }
    return body()
  }

  /// Makes the calling thread the loop's. Traps while another thread runs the loop.
  func moveHere() {
    require(
      isCurrent || !isBusy.load(ordering: .acquiring),
      "EventLoop: another thread is running it; call loop.remote.execute { … }")
    owner.store(pthread_self(), ordering: .relaxed)
  }

  /// Detaches the loop from all threads when it has ended.
  func leave() {
    owner.store(0, ordering: .releasing)
  }

  /// Traps on any thread but the loop's, if the loop has not ended. For state that may still be
  /// read after the end, when it no longer changes.
  @inline(__always)
  func checkAccess() {
    if !isCurrent { checkEnd() }
  }

  private func checkEnd() {
    require(
      owner.load(ordering: .acquiring) == 0,
      """
      EventLoop: an object of the loop was used off its thread. Other tasks call a LoopActor, \
      or await withTaskExecutorPreference(loop.executor) { … }; other threads call \
      loop.remote.execute { … }
      """)
  }
}
