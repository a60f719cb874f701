internal import CPosixAIO
internal import Glibc
internal import SystemPackage

/// The queue's one timer, for deadlines and the backstop. It is never moved to a later time, so
/// that a steady stream of requests costs no system calls; it may run out in vain, and is then
/// armed anew for what is needed.
///
/// What is due is decided by the clock. Whether the descriptor is readable is the kernel's word
/// alone: from the moment at which it reports the timer until ``clear()`` that is so, whatever the
/// clock says.
@safe
final class QueueTimer {
  let descriptor: Int32
  private let system: AIOSystem
  /// The time at which the descriptor becomes readable, or became so; `.max` while it is disarmed.
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
  func arm(_ time: UInt64) {
    guard time < armedFor else { return }
    armedFor = time
    system.setTimer(descriptor, at: time)
  }

  /// Reads the timer, which was reported to have run out; it is then disarmed.
  func clear() {
    armedFor = .max
    system.clearTimer(descriptor)
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
    if dueAt == .max { dueAt = now.addingSaturated(interval) }
  }

  /// Whether it is time for a look; it is then to be scheduled anew.
  mutating func takeDue(now: UInt64) -> Bool {
    guard dueAt <= now else { return false }
    dueAt = .max
    return true
  }

  mutating func looked(foundLostOnes: Bool) {
    interval = foundLostOnes ? floor : min(interval.addingSaturated(interval), ceiling)
  }
}

extension UInt64 {
  /// The sum, or the largest number where it does not fit.
  func addingSaturated(_ other: UInt64) -> UInt64 {
    let (sum, overflow) = addingReportingOverflow(other)
    return overflow ? .max : sum
  }
}

extension Duration {
  /// In nanoseconds, 0 or more; what does not fit becomes the largest number that does.
  var wholeNanoseconds: UInt64 {
    guard self > .zero else { return 0 }
    guard self < .nanoseconds(Int64.max) else { return UInt64(Int64.max) }
    // Less than 300 years from here on.
    let (seconds, attoseconds) = components
    return UInt64(seconds) * 1_000_000_000 + UInt64(attoseconds / 1_000_000_000)
  }
}
