import Glibc
import Reactor

/// Reports operations that do not end.
final class Watchdog {
  typealias Oldest = (operation: StressOperation?, since: SuspendingClock.Instant)

  private static let interval = Duration.seconds(1)

  private let limit: Duration
  private var text = "the start"
  private var notedAt = SuspendingClock.now
  private var oldest: (() -> Oldest?)?
  private var timer: EventLoop.Timer?

  /// - Parameter bark: Called with the operation that does not end, or nil and the current phase.
  init(on loop: EventLoop, limit: Duration, _ bark: @escaping (StressOperation?, String) -> Void) {
    self.limit = limit
    timer = loop.schedule(every: Self.interval) { [self] in
      // If the loop itself hangs, no code can report it: then the alarm ends the process.
      alarm(UInt32(clamping: limit.components.seconds * 2))
      let oldest = oldest?() ?? (nil, notedAt)
      if .now - oldest.since > limit { bark(oldest.operation, text) }
    }
  }

  /// Notes progress, and names the phase for the message.
  func note(_ text: String) {
    self.text = text
    notedAt = .now
    oldest = nil
  }

  /// Checks the oldest unfinished operation from now on, until the next ``note(_:)``.
  func watch(_ oldest: @escaping () -> Oldest?) {
    note("the load")
    self.oldest = { oldest() ?? (nil, .now) }
  }

  func cancel() {
    timer?.cancel()
    alarm(0)
  }
}
