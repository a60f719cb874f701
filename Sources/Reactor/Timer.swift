internal import CLibevent

extension EventLoop {
  /// A timer of a loop. It lives as long as it is running, kept or not.
  @safe
  public final class Timer {
    private let event: Event

    fileprivate init(_ event: Event) {
      self.event = event
    }

    /// Whether it will still fire.
    public var isScheduled: Bool { event.isAdded }

    /// Stops it. A cancelled timer never fires.
    public func cancel() {
      event.remove()
    }
  }

  /// Calls `body` once, after `delay` at the earliest, by the monotonic clock.
  ///
  /// - Parameter delay: 0 or more.
  @discardableResult
  public func schedule(after delay: Duration, _ body: @escaping () -> Void) -> Timer {
    checkThread()
    precondition(delay >= .zero, "EventLoop: a delay is 0 or more")
    let event = Event(in: registry, descriptor: -1, flags: 0, body)
    event.add(timeout: delay)
    return Timer(event)
  }

  /// Calls `body` again and again until the timer is cancelled.
  ///
  /// - Parameter interval: More than 0. Calls that the loop was too late for are left out.
  @discardableResult
  public func schedule(every interval: Duration, _ body: @escaping () -> Void) -> Timer {
    checkThread()
    precondition(interval > .zero, "EventLoop: an interval is more than 0")
    let event = Event(in: registry, descriptor: -1, flags: EV_PERSIST, body)
    event.add(timeout: interval)
    return Timer(event)
  }
}
