internal import Glibc
internal import PosixAIO
internal import Synchronization

/// The thread that a loop belongs to. Any thread may ask whether it is the one.
final class LoopThread: Sendable {
  private let owner = Atomic(pthread_self())
  private let forkGeneration = ForkGeneration.current
  // Written on the loop's thread.
  private let isBusy = Atomic(false)

  /// False in the child of a process that forked: what the two share, they share by mistake.
  var isOfThisProcess: Bool { forkGeneration == .current }

  /// Whether the calling thread is the loop's. Without an order: a thread reads what it wrote
  /// itself, or something else that is not itself.
  var isCurrent: Bool { owner.load(ordering: .relaxed) == pthread_self() && isOfThisProcess }

  /// Keeps other threads from taking the loop over while `body` runs or ends it.
  func whileBusy<Value>(_ body: () -> Value) -> Value {
    let former = isBusy.load(ordering: .relaxed)
    isBusy.store(true, ordering: .relaxed)
    defer { isBusy.store(former, ordering: .releasing) }
    return body()
  }

  /// Makes the calling thread the loop's. Traps while another one runs the loop.
  func moveHere() {
    require(
      isCurrent || !isBusy.load(ordering: .acquiring),
      "EventLoop: another thread is running it; call loop.remote.execute { … }")
    owner.store(pthread_self(), ordering: .relaxed)
  }

  /// Makes it no thread's any more: the loop has ended.
  func leave() {
    owner.store(0, ordering: .releasing)
  }

  /// Traps on any thread but the loop's, as long as the loop has not ended: for what may be asked
  /// then, too, since nothing changes it any more.
  @inline(__always)
  func checkAccess() {
    if !isCurrent { checkEnd() }
  }

  private func checkEnd() {
    require(
      owner.load(ordering: .acquiring) == 0,
      """
      EventLoop: what belongs to a loop is used on its thread only. Other tasks call a LoopActor, \
      or await withTaskExecutorPreference(loop.executor) { … }; other threads call \
      loop.remote.execute { … }
      """)
  }
}
