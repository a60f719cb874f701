internal import Reactor

/// Checks all connections of a server periodically while any of them waits for its client.
final class RecurringLook {
  private let core: LoopCore
  private let interval: Duration
  private var timer: EventLoop.Timer?
  /// Whether the next check is at most ``interval`` away.
  private var isSoon = false

  /// Checks the connections, and returns when the next check is due; nil if none is needed.
  var body: () -> ContinuousClock.Instant? = { nil }

  /// - Parameter interval: The delay of the first check of a waiting connection, and the least time
  ///   between two checks.
  init(on core: LoopCore, interval: Duration) {
    self.core = core
    self.interval = interval
  }

  /// Whether a check is scheduled.
  var isDue: Bool { timer != nil }

  /// Schedules a check, because a connection waits for its client from now on.
  func wantSoon() {
    guard !isSoon else { return }
    timer?.cancel()
    schedule(after: interval)
  }

  /// Cancels the next check, because nothing is left to check.
  func stop() {
    timer?.cancel()
    timer = nil
    isSoon = false
  }

  private func schedule(after delay: Duration) {
    isSoon = delay <= interval
    timer = core.loop.schedule(after: delay) { [weak self] in self?.look() }
  }

  private func look() {
    timer = nil
    isSoon = false
    guard let next = body(), timer == nil else { return }
    schedule(after: max(next - ContinuousClock.now, interval))
  }
}
