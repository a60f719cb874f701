internal import CPosixAIO
internal import Glibc
internal import SystemPackage

/// The queue's one timer, for deadlines and the backstop.
///
/// It is never set to a later time, so that a steady stream of requests makes no system calls. It
/// may therefore expire early; the next drain then arms it again.
///
/// The clock decides what is due. Only the kernel knows whether the descriptor is readable: from
/// its report until ``clear()`` it is, whatever the clock says.
@safe
final class QueueTimer {
  let descriptor: Int32
  private let system: AIOSystem
  /// The time for which the timer is armed, or at which it expired; `.max` while it is disarmed.
  private var armedFor = UInt64.max
  private var isClosed = false

  init(_ system: AIOSystem) throws(Errno) {
    self.system = system
    descriptor = try checked(caio_timerfd())
  }

  deinit {
    close()
  }

  /// Closes the descriptor. The timer must not be used after that.
  func close() {
    guard !isClosed else { return }
    isClosed = true
    Glibc.close(descriptor)
  }

  /// Arms the timer for `time` (queue clock); it may fire earlier.
  func arm(_ time: UInt64) {
    guard time < armedFor else { return }
    armedFor = time
    system.setTimer(descriptor, at: time)
  }

  /// Reads the timer after it was reported to have expired, which disarms it.
  func clear() {
    wasRead()
    system.clearTimer(descriptor)
  }

  /// The loop has read the timer, which disarms it.
  func wasRead() {
    armedFor = .max
  }
}

/// Decides when the queue checks everything in flight, in case signals were lost: repeatedly while
/// operations are in flight. The interval doubles up to the ceiling while checks find nothing, and
/// returns to the floor when one finds something.
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

  /// Whether a check is due. If so, the next one has to be scheduled.
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
  /// The sum, or the largest number if the sum does not fit.
  func addingSaturated(_ other: UInt64) -> UInt64 {
    let (sum, overflow) = addingReportingOverflow(other)
    return overflow ? .max : sum
  }
}

extension Duration {
  /// In nanoseconds, 0 or more; at most the largest number that fits.
  var wholeNanoseconds: UInt64 {
    guard self > .zero else { return 0 }
    guard self < .nanoseconds(Int64.max) else { return UInt64(Int64.max) }
    // Less than 300 years from here on.
    let (seconds, attoseconds) = components
    return UInt64(seconds) * 1_000_000_000 + UInt64(attoseconds / 1_000_000_000)
  }
}
