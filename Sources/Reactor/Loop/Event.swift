internal import CLibevent
internal import CReactor
internal import Glibc
internal import PosixAIO
internal import SystemPackage

/// One event of libevent, and the only place where a pointer to a Swift object goes into libevent
/// and comes back.
///
/// While libevent has an event of ours, the loop's registry keeps the object alive; libevent's own
/// event exists for just as long, so that nothing of ours stays in a base that outlives the loop.
@safe
final class Event {
  /// How long libevent's event lives.
  enum Lifetime {
    /// Until it fires, unless it is removed before.
    case untilFired
    /// Until it is removed.
    case untilRemoved
    /// The same, and it is not counted among what keeps a base running.
    case uncounted
  }

  /// The longest time-out that libevent is given: ten years. It adds a time-out to its clock
  /// unchecked, and one that overflows has passed at once.
  static let longestTimeout = Duration.seconds(10 * 365 * 24 * 60 * 60)

  private let registry: EventRegistry
  private let descriptor: Int32
  private let flags: Int16
  private let lifetime: Lifetime
  private let body: (Int32) -> Void
  private var event: OpaquePointer?

  /// Whether libevent has it in its count, where that is not a descriptor that somebody may talk
  /// to: see ``EventRegistry/watchesOthers``.
  private var isPatient = false {
    didSet {
      guard isPatient != oldValue, descriptor == -1 || flags & Int16(EV_SIGNAL) != 0 else { return }
      registry.patientCount += isPatient ? 1 : -1
    }
  }

  /// - Parameters:
  ///   - descriptor: A descriptor, a signal number with `EV_SIGNAL`, or -1 for a timer.
  ///   - flags: `EV_READ`, `EV_WRITE`, `EV_SIGNAL`, `EV_PERSIST`.
  ///   - body: Gets which of the flags it is called for.
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

  /// As above, for what does not ask why it is called.
  convenience init(
    in registry: EventRegistry, descriptor: Int32 = -1, flags: Int32 = 0,
    lifetime: Lifetime = .untilFired, _ body: @escaping () -> Void
  ) {
    self.init(in: registry, descriptor: descriptor, flags: flags, lifetime: lifetime) { _ in body()
    }
  }

  /// Whether libevent has it.
  var isAdded: Bool { unsafe event != nil }

  /// Has libevent know the event, without waiting for anything yet. Wraps `event_new`.
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

  /// Starts to wait, until `timeout` at the latest. Wraps `event_add`.
  ///
  /// - Parameter timeout: One below 0 is taken as 0, one over ``longestTimeout`` as that. nil waits
  ///   without a limit.
  func add(timeout: Duration? = nil) {
    prepare()
    let status: Int32
    if let timeout {
      var time = timeval(timeout)
      status = unsafe event_add(event, &time)
    } else {
      status = unsafe event_add(event, nil)
    }
    require(status == 0, "EventLoop: the event could not be added: a bad descriptor?")
    isPatient = true
  }

  /// Changes how long it waits at most, from now on; nil is for ever. Wraps `event_add` and
  /// `event_remove_timer`.
  func setTimeout(_ timeout: Duration?) {
    if let timeout {
      add(timeout: timeout)
    } else {
      unsafe event_remove_timer(event)
    }
  }

  /// Starts to wait for a descriptor that may be a bad one. Wraps `event_add`.
  ///
  /// - Throws: What epoll_ctl(2) said. Nothing was added.
  func tryAdd() throws(Errno) {
    prepare()
    errno = 0
    guard unsafe event_add(event, nil) != 0 else { return }
    let reason = Errno.ofLastCall
    remove()
    throw reason
  }

  /// Stops to wait, and stays ready to be added again. Wraps `event_del`.
  func pause() {
    guard let event = unsafe event else { return }
    unsafe event_del(event)
    isPatient = false
  }

  /// Stops to wait. Afterwards the body is not called again. Wraps `event_free`.
  func remove() {
    guard let event = unsafe event else { return }
    unsafe event_free(event)
    unsafe self.event = nil
    isPatient = false
    registry.remove(self)
  }

  /// Has the body called in this turn, behind what is active already. Wraps `event_active`.
  func activate() {
    guard let event = unsafe event else { return }
    // Not EV_TIMEOUT: adding a timer takes that back.
    unsafe event_active(event, EV_READ, 1)
    isPatient = true
  }

  fileprivate func fire(_ fired: Int32) {
    if flags & Int16(EV_PERSIST) == 0 { isPatient = false }
    if lifetime == .untilFired { remove() }
    registry.performCallback { body(fired) }
  }
}

private func fired(_: Int32, _ fired: Int16, _ context: UnsafeMutableRawPointer?) {
  // event_new was given an Event, which the registry keeps alive while it is added; this reference
  // keeps it while its body runs.
  guard let context = unsafe context else { return }
  unsafe Unmanaged<Event>.fromOpaque(context).takeUnretainedValue().fire(Int32(fired))
}

extension timeval {
  /// Rounds up to a microsecond, so that a timer may be late, never early; and into the range that
  /// libevent can add to its clock.
  init(_ duration: Duration) {
    let (seconds, attoseconds) = min(max(duration, .zero), Event.longestTimeout).components
    let attosecondsPerMicrosecond: Int64 = 1_000_000_000_000
    let microseconds = (attoseconds + attosecondsPerMicrosecond - 1) / attosecondsPerMicrosecond
    self.init()
    tv_sec = Int(seconds + microseconds / 1_000_000)
    tv_usec = Int(microseconds % 1_000_000)
  }
}
