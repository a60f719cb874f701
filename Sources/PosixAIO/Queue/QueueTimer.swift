internal import CPosixAIO
internal import Glibc
internal import SystemPackage

/// The queue's one timer, for deadlines and the backstop. It is never moved to a later time, so
/// that a steady stream of requests costs no system calls; when it runs out early it is armed anew.
@safe
final class QueueTimer {
  let descriptor: Int32
  private let system: AIOSystem
  private var armedFor = UInt64.max
  private var isClosed = false

  init(_ system: AIOSystem) throws(Errno) {
    self.system = system
    descriptor = try checked(caio_timerfd())
  }

  deinit {
    close()
  }

  /// Closes the descriptor; the timer is not used any more.
  func close() {
    guard !isClosed else { return }
    isClosed = true
    Glibc.close(descriptor)
  }

  /// Has the descriptor become readable at a time of the queue's clock, or before.
  func arm(_ time: UInt64, now: UInt64) {
    guard time < armedFor else { return }
    armedFor = time
    // 0 would disarm. It cannot fail: the descriptor is ours and the time is in range.
    system.setTimer(descriptor, nanoseconds: Int64(clamping: max(time, now + 1) - now))
  }

  /// Whether the timer has run out; it is then disarmed.
  func hasRunOut(now: UInt64) -> Bool {
    guard armedFor <= now else { return false }
    armedFor = .max
    var expirations: UInt64 = 0
    _ = unsafe read(descriptor, &expirations, MemoryLayout<UInt64>.size)
    return true
  }
}

/// When the queue looks at everything in flight, should signals be lost: again and again while
/// something is in flight. The interval doubles up to the ceiling as long as a look finds nothing,
/// and falls to the floor when one does.
struct Backstop {
  private let floor: UInt64
  private let ceiling: UInt64
  private var interval: UInt64
  private(set) var dueAt = UInt64.max

  init(floor: Duration, ceiling: Duration) {
    self.floor = floor.wholeNanoseconds
    self.ceiling = ceiling.wholeNanoseconds
    interval = self.floor
  }

  mutating func scheduleIfNeeded(now: UInt64) {
    if dueAt == .max { dueAt = now + interval }
  }

  /// Whether it is time for a look; it is then to be scheduled anew.
  mutating func takeDue(now: UInt64) -> Bool {
    guard dueAt <= now else { return false }
    dueAt = .max
    return true
  }

  mutating func looked(foundLostOnes: Bool) {
    interval = foundLostOnes ? floor : min(interval * 2, ceiling)
  }
}

extension Duration {
  /// In nanoseconds, 0 or more; what does not fit becomes the largest number that does.
  var wholeNanoseconds: UInt64 {
    let nanoseconds = self / .nanoseconds(1)
    guard nanoseconds < 9e18 else { return UInt64(Int64.max) }
    let (seconds, attoseconds) = components
    return UInt64(max(0, seconds)) * 1_000_000_000 + UInt64(max(0, attoseconds) / 1_000_000_000)
  }
}
