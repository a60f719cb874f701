internal import CLibevent
internal import PosixAIO

extension EventLoop {
  /// A timer of a loop. It runs, kept or not, until it is cancelled or its loop ends; then it calls
  /// nobody any more.
  @safe
  public final class Timer: @unchecked Sendable {
    /// What the clock can add to any time of its own, and go on to add to.
    private static let longestDelay = Duration.seconds(Int64.max)

    // libevent's event holds it, and nothing else: so the body goes when the timer will not call it
    // any more, whoever keeps the timer.
    private weak var firing: Firing?
    private let thread: LoopThread

    /// - Parameters:
    ///   - interval: Nil for one that fires once.
    ///   - body: Not called where the loop is ending.
    fileprivate init(
      on core: LoopCore, delay: Duration, interval: Duration?, _ body: @escaping () -> Void
    ) {
      thread = core.thread
      guard !core.isEnding else { return }
      let firing = Firing(
        in: core.registry, core.counters, due: .now + min(delay, Self.longestDelay),
        interval: interval.map { min($0, Self.longestDelay) }, body)
      firing.wait(delay)
      self.firing = firing
    }

    /// Whether it will still fire.
    public var isScheduled: Bool {
      thread.checkAccess()
      return firing?.isScheduled ?? false
    }

    /// Stops it. A cancelled timer never fires.
    public func cancel() {
      thread.checkAccess()
      firing?.cancel()
    }

    /// What a timer does, for as long as it waits.
    @safe
    private final class Firing {
      private let registry: EventRegistry
      private let counters: Counters
      private let interval: Duration?
      private let body: () -> Void
      private var due: SuspendingClock.Instant
      // The registry holds it while it is added, and it holds this object.
      private weak var event: Event?
      private var isCanceled = false

      init(
        in registry: EventRegistry, _ counters: Counters, due: SuspendingClock.Instant,
        interval: Duration?, _ body: @escaping () -> Void
      ) {
        self.registry = registry
        self.counters = counters
        self.due = due
        self.interval = interval
        self.body = body
      }

      var isScheduled: Bool { !isCanceled && event?.isAdded ?? false }

      func cancel() {
        isCanceled = true
        event?.remove()
      }

      func wait(_ delay: Duration) {
        let event = Event(in: registry, descriptor: -1, flags: 0) { [self] in fire() }
        event.add(timeout: delay)
        self.event = event
      }

      /// libevent's clock ticks every few milliseconds, so it may call a little early, and years
      /// too early where the delay is longer than ``Event/longestTimeout``.
      private func fire() {
        let now = SuspendingClock.now
        guard due <= now else { return wait(due - now) }
        counters.statistics.timerLags.record(now - due)
        if let interval {
          due += interval
          if due <= now { due = now + interval }
          wait(due - now)
        }
        body()
      }
    }
  }

  /// Calls `body` once, after `delay` at the earliest, by the monotonic clock; some milliseconds
  /// later as a rule.
  ///
  /// - Parameters:
  ///   - delay: 0 or more. `.seconds(.max)` is never.
  ///   - body: Never called from inside this call, and not at all once the loop is ending.
  /// - Returns: The timer, to cancel it.
  @discardableResult
  public func schedule(after delay: Duration, _ body: @escaping () -> Void) -> Timer {
    core.checkAccess()
    require(delay >= .zero, "EventLoop: a delay is 0 or more")
    return core.schedule(after: delay, body)
  }

  /// Calls `body` again and again until the timer is cancelled. The loop holds `body` until then;
  /// where that captures the loop, cancel the timer or close the loop, or the two keep each other.
  ///
  /// - Parameters:
  ///   - interval: More than 0. Calls that the loop was too late for are left out.
  ///   - body: Called for the first time after one interval.
  /// - Returns: The timer, to cancel it.
  @discardableResult
  public func schedule(every interval: Duration, _ body: @escaping () -> Void) -> Timer {
    core.checkAccess()
    require(interval > .zero, "EventLoop: an interval is more than 0")
    return Timer(on: core, delay: interval, interval: interval, body)
  }
}

extension LoopCore {
  /// As ``EventLoop/schedule(after:_:)``.
  func schedule(after delay: Duration, _ body: @escaping () -> Void) -> EventLoop.Timer {
    EventLoop.Timer(on: self, delay: delay, interval: nil, body)
  }
}
