internal import CPosixAIO
internal import Glibc
internal import SystemPackage

/// The timer that makes the queue look at everything in flight, should signals be lost.
///
/// It is armed while something is in flight and left to run out, so that a steady stream of
/// requests costs one system call per interval and not one per request. The interval doubles up to
/// the ceiling as long as a look finds nothing, and falls to the floor when one does.
@safe
final class Backstop {
  let descriptor: Int32
  private let floor: Duration
  private let ceiling: Duration
  private var interval: Duration
  private var deadline: ContinuousClock.Instant?

  init(floor: Duration, ceiling: Duration) throws(Errno) {
    precondition(
      floor > .zero && floor <= ceiling, "CompletionQueue: 0 < backstopFloor <= backstopCeiling")
    descriptor = try checked(caio_timerfd())
    self.floor = floor
    self.ceiling = ceiling
    interval = floor
  }

  deinit {
    Glibc.close(descriptor)
  }

  func armIfNeeded() {
    guard deadline == nil else { return }
    let (seconds, attoseconds) = interval.components
    let nanoseconds = seconds * 1_000_000_000 + attoseconds / 1_000_000_000
    // Cannot fail: the descriptor is ours and the time is in range.
    caio_timerfd_set(descriptor, nanoseconds)
    deadline = .now + interval
  }

  /// Whether the time has come for a look; at the same time the timer is stopped.
  func isDue() -> Bool {
    guard let deadline, deadline <= .now else { return false }
    self.deadline = nil
    var expirations: UInt64 = 0
    _ = unsafe read(descriptor, &expirations, MemoryLayout<UInt64>.size)
    return true
  }

  func looked(foundLostOnes: Bool) {
    interval = foundLostOnes ? floor : min(interval * 2, ceiling)
  }
}
