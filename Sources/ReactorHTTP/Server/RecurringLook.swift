internal import Reactor

/// A look at all connections of a server, as often as one of them has a client to wait for.
final class RecurringLook {
  private let core: LoopCore
  private let interval: Duration
  private var timer: EventLoop.Timer?
  /// Whether the next look is at most ``interval`` away.
  private var isSoon = false

  /// Looks, and returns when the next look makes sense; nil is never.
  var body: () -> ContinuousClock.Instant? = { nil }

  /// - Parameter interval: How soon whoever waits is looked at, and the least time between looks.
  init(on core: LoopCore, interval: Duration) {
    self.core = core
    self.interval = interval
  }

  /// Whether there will be a look.
  var isDue: Bool { timer != nil }

  /// Somebody waits for a client from now on.
  func wantSoon() {
    guard !isSoon else { return }
    timer?.cancel()
    schedule(after: interval)
  }

  /// There is nothing to look at.
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
