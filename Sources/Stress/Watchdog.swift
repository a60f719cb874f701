import Glibc
import Reactor

/// Finds out when something that must end does not.
final class Watchdog {
  typealias Oldest = (operation: Operation?, since: SuspendingClock.Instant)

  private static let interval = Duration.seconds(1)

  private let limit: Duration
  private var text = "the start"
  private var notedAt = SuspendingClock.now
  private var oldest: (() -> Oldest?)?
  private var timer: EventLoop.Timer?

  /// - Parameter bark: Gets the operation that does not end, or else what was going on.
  init(on loop: EventLoop, limit: Duration, _ bark: @escaping (Operation?, String) -> Void) {
    self.limit = limit
    timer = loop.schedule(every: Self.interval) { [self] in
      // Should the loop itself hang, nothing runs that could tell: then the alarm ends the process.
      alarm(UInt32(clamping: limit.components.seconds * 2))
      let oldest = oldest?() ?? (nil, notedAt)
      if .now - oldest.since > limit { bark(oldest.operation, text) }
    }
  }

  /// Something goes on; what, for the message.
  func note(_ text: String) {
    self.text = text
    notedAt = .now
    oldest = nil
  }

  /// Asks for what is unfinished, from now on to the next ``note(_:)``.
  func watch(_ oldest: @escaping () -> Oldest?) {
    note("the load")
    self.oldest = { oldest() ?? (nil, .now) }
  }

  func cancel() {
    timer?.cancel()
    alarm(0)
  }
}
