internal import CLibevent
internal import CReactor
internal import Glibc
internal import PosixAIO
internal import SystemPackage

/// A libevent event. Pointers to Swift objects pass through libevent only here.
///
/// The loop's registry keeps this object alive while libevent has its event. libevent's event
/// exists for just as long, so that none of ours remains in a base that outlives the loop.
@safe
final class Event {
  /// How long libevent's event exists.
  enum Lifetime {
    /// Until it fires or is removed.
    case untilFired
    /// Until it is removed.
    case untilRemoved
    /// Until it is removed; it does not keep the base running.
    case uncounted
  }

  /// The longest timeout that is passed to libevent: ten years. libevent adds timeouts to its clock
  /// without a check, and a timeout that overflows fires at once.
  static let longestTimeout = Duration.seconds(10 * 365 * 24 * 60 * 60)

  private let registry: EventRegistry
  private let descriptor: Int32
  private let flags: Int16
  private let lifetime: Lifetime
  private let body: (Int32) -> Void
  private var event: OpaquePointer?

  /// Whether libevent counts the event as added or active. Events without a watched descriptor are
  /// excluded from ``EventRegistry/watchesOthers``.
  private var isCounted = false {
    didSet {
      guard isCounted != oldValue, descriptor == -1 || flags & Int16(EV_SIGNAL) != 0 else { return }
      registry.backgroundEventCount += isCounted ? 1 : -1
    }
  }

  /// - Parameters:
  ///   - descriptor: A descriptor, a signal number with `EV_SIGNAL`, or -1 for a timer.
  ///   - flags: `EV_READ`, `EV_WRITE`, `EV_SIGNAL`, `EV_PERSIST`.
  ///   - body: Receives the flags that fired.
  init(
    in registry: EventRegistry, descriptor: Int32 = -1, flags: Int32 = 0,
    lifetime: Lifetime = .untilFired, _ body: @escaping (_ fired: Int32) -> Void
  ) {
    self.registry = registry
    self.descriptor = descriptor
    self.flags = Int16(flags)
    self.lifetime = lifetime
    self.body = body
  }

  /// As above, for a body that does not need the flags.
  convenience init(
    in registry: EventRegistry, descriptor: Int32 = -1, flags: Int32 = 0,
    lifetime: Lifetime = .untilFired, _ body: @escaping () -> Void
  ) {
    self.init(in: registry, descriptor: descriptor, flags: flags, lifetime: lifetime) { _ in body()
    }
  }

  /// Whether libevent's event exists.
  var isAdded: Bool { unsafe event != nil }

  /// Creates libevent's event without adding it. Wraps `event_new`.
  func prepare() {
    guard !isAdded else { return }
    let context = unsafe Unmanaged.passUnretained(self).toOpaque()
    guard let made = unsafe event_new(registry.base, descriptor, flags, fired, context) else {
      trap("EventLoop: out of memory, or the loop is gone")
    }
    if lifetime == .uncounted { unsafe creactor_leave_uncounted(made) }
    unsafe event = made
    registry.insert(self)
  }

  /// Adds the event, with an optional timeout. Wraps `event_add`.
  ///
  /// - Parameter timeout: Limited to 0 … ``longestTimeout``. nil waits without a limit.
  func add(timeout: Duration? = nil) {
    prepare()
    let status: Int32
    if let timeout {
      var time = timeval(timeout)
      status = unsafe event_add(event, &time)
    } else {
      status = unsafe event_add(event, nil)
    }
    require(status == 0, "EventLoop: the event could not be added; is its descriptor valid?")
    isCounted = true
  }

  /// Restarts the timeout; nil removes it. Wraps `event_add` and `event_remove_timer`.
  func setTimeout(_ timeout: Duration?) {
    if let timeout {
      add(timeout: timeout)
    } else {
      unsafe event_remove_timer(event)
    }
  }

  /// Adds the event for a descriptor that may be invalid. Wraps `event_add`.
  ///
  /// - Throws: The error of epoll_ctl(2). Nothing was added.
  func tryAdd() throws(Errno) {
    prepare()
    errno = 0
    guard unsafe event_add(event, nil) != 0 else { return }
    let reason = Errno.ofLastCall
    remove()
    throw reason
  }

  /// Stops waiting. The event can be added again. Wraps `event_del`.
  func pause() {
    guard let event = unsafe event else { return }
    unsafe event_del(event)
    isCounted = false
  }

  /// Stops waiting and frees libevent's event. The body is not called again. Wraps `event_free`.
  func remove() {
    guard let event = unsafe event else { return }
    unsafe event_free(event)
    unsafe self.event = nil
    isCounted = false
    registry.remove(self)
  }

  /// Calls the body in this turn, after the events that are already active. Wraps `event_active`.
  func activate() {
    guard let event = unsafe event else { return }
    // Not EV_TIMEOUT: adding a timer would cancel that.
    unsafe event_active(event, EV_READ, 1)
    isCounted = true
  }

  fileprivate func fire(_ fired: Int32) {
    if flags & Int16(EV_PERSIST) == 0 { isCounted = false }
    if lifetime == .untilFired { remove() }
    registry.performCallback { body(fired) }
  }
}

private func fired(_: Int32, _ fired: Int16, _ context: UnsafeMutableRawPointer?) {
  // event_new received an Event, which the registry keeps alive while it exists. This reference
  // keeps it alive while its body runs.
  guard let context = unsafe context else { return }
  unsafe Unmanaged<Event>.fromOpaque(context).takeUnretainedValue().fire(Int32(fired))
}

extension timeval {
  /// Rounds up to a microsecond, so that a timer may be late but never early, and limits the value
  /// to the range that libevent can add to its clock.
  init(_ duration: Duration) {
    let (seconds, attoseconds) = min(max(duration, .zero), Event.longestTimeout).components
    let attosecondsPerMicrosecond: Int64 = 1_000_000_000_000
    let microseconds = (attoseconds + attosecondsPerMicrosecond - 1) / attosecondsPerMicrosecond
    self.init()
    tv_sec = Int(seconds + microseconds / 1_000_000)
    tv_usec = Int(microseconds % 1_000_000)
  }
}
