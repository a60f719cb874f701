internal import Glibc
internal import PosixAIO
internal import Synchronization

/// The thread that a loop belongs to. Any thread may ask whether it is the one.
final class LoopThread: Sendable {
  private let owner = Atomic(pthread_self())
  private let forkGeneration = ForkGeneration.current

  /// False in the child of a process that forked: what the two share, they share by mistake.
  var isOfThisProcess: Bool { forkGeneration == .current }

  /// Whether the calling thread is the loop's. Without an order: a thread reads what it wrote
  /// itself, or something else that is not itself.
  var isCurrent: Bool { owner.load(ordering: .relaxed) == pthread_self() && isOfThisProcess }

  /// Makes the calling thread the loop's.
  func moveHere() {
    owner.store(pthread_self(), ordering: .relaxed)
  }

  /// Makes it no thread's any more.
  func leave() {
    owner.store(0, ordering: .relaxed)
  }
}
