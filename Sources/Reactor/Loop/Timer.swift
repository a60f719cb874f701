internal import CLibevent
internal import PosixAIO

extension EventLoop {
  /// A timer of a loop. It stays active until it is cancelled or its loop ends, even if you drop
  /// every reference. After that, it makes no more calls.
  @safe
  public final class Timer: @unchecked Sendable {
    /// Short enough that the clock can add it to its current time more than once.
    private static let longestDelay = Duration.seconds(Int64.max)

    // Only libevent's event retains it. So the body is released when the timer will not fire again,
    // even if the timer is still referenced.
    private weak var firing: Firing?
    private let thread: LoopThread

    /// - Parameters:
    ///   - interval: Nil for a timer that fires once.
    ///   - body: Not called if the loop is ending.
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

    /// The state of a timer while it waits.
    @safe
    private final class Firing {
      private let registry: EventRegistry
      private let counters: Counters
      private let interval: Duration?
      private let body: () -> Void
      private var due: SuspendingClock.Instant
      // The registry retains the event while it exists, and the event retains this object.
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

      /// libevent's clock ticks every few milliseconds, so it may fire slightly early, and years
      /// too early if the delay is longer than ``Event/longestTimeout``.
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

  /// Calls `body` once, not before `delay` on the monotonic clock, and usually some milliseconds
  /// after.
  ///
  /// - Parameters:
  ///   - delay: 0 or more. A timer with `.seconds(.max)` never fires.
  ///   - body: Never called inside this call, and not at all once the loop is ending.
  /// - Returns: The timer; use it to cancel.
  @discardableResult
  public func schedule(after delay: Duration, _ body: @escaping () -> Void) -> Timer {
    core.checkAccess()
    require(delay >= .zero, "EventLoop: a delay is 0 or more")
    return core.schedule(after: delay, body)
  }

  /// Calls `body` repeatedly until the timer is cancelled. The loop retains `body` until then. If
  /// it captures the loop, cancel the timer or close the loop to break the reference cycle.
  ///
  /// - Parameters:
  ///   - interval: More than 0. Calls that the loop missed are skipped.
  ///   - body: Called for the first time after one interval.
  /// - Returns: The timer; use it to cancel.
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
