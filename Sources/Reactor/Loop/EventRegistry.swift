internal import CLibevent
internal import Glibc
internal import PosixAIO
internal import SystemPackage

/// The event base, and the events of the loop that are added to it.
@safe
final class EventRegistry {
  /// Nil once the loop has ended.
  private(set) var base: OpaquePointer?

  /// Whether the base is the caller's, who frees it.
  let isBorrowed: Bool

  /// How many events of ours libevent counts that nobody awaits to the microsecond: timers,
  /// signals, work of the next turn.
  var patientCount = 0

  private var events: [ObjectIdentifier: Event] = [:]
  private var ownEvents: Set<ObjectIdentifier> = []

  private var callbackDepth = 0
  private var afterCallbacks: (() -> Void)?

  /// - Parameter base: The caller's, or nil for one of our own. Wraps `event_base_new`, not with a
  ///   precise timer: libevent would pay for it with a system call in every turn, whether there is
  ///   a timer or not.
  init(borrowing base: OpaquePointer?) throws(Errno) {
    isBorrowed = unsafe base != nil
    if unsafe base == nil { try Self.checkThatABaseCanBeMade() }
    errno = 0
    unsafe self.base = base ?? event_base_new()
    guard unsafe self.base != nil else { throw errno == 0 ? .noMemory : .ofLastCall }
  }

  /// As many pipes as have the descriptors that a base opens: an epoll, a pipe for signals, and an
  /// eventfd if libevent knows of threads.
  private static let pipesForABase = 2

  /// Throws EMFILE or ENFILE where `event_base_new` would end the process: libevent takes it for
  /// fatal that it gets no descriptors for its signals.
  private static func checkThatABaseCanBeMade() throws(Errno) {
    var reserved: [Int32] = []
    defer { for number in reserved { Glibc.close(number) } }
    for _ in 0..<pipesForABase {
      var ends: [Int32] = [0, 0]
      guard unsafe pipe(&ends) == 0 else { throw .ofLastCall }
      reserved += ends
    }
  }

  /// Whether somebody's descriptor is watched beside the loop's own: a socket of ours, a watch, or
  /// anything that others have added to the base. Wraps `event_base_get_num_events`.
  var watchesOthers: Bool {
    unsafe event_base_get_num_events(base, UInt32(EVENT_BASE_COUNT_ADDED)) > patientCount
  }

  func insert(_ event: Event) {
    events[ObjectIdentifier(event)] = event
  }

  func remove(_ event: Event) {
    // What the event's body captures is released after the access: that may run user code.
    _ = events.removeValue(forKey: ObjectIdentifier(event))
  }

  /// Says that what is added now is the loop's own, and what comes later the user's.
  func seal() {
    ownEvents = Set(events.keys)
  }

  /// Takes the user's timers and watches out of the base.
  func removeUsersEvents() {
    // Removing one may release the last reference to another.
    for event in Array(events.values) where !ownEvents.contains(ObjectIdentifier(event)) {
      event.remove()
    }
  }

  /// Takes all events out of the base.
  func removeAll() {
    for event in Array(events.values) {
      event.remove()
    }
  }

  /// As ``removeAll()``, and frees the base if it is ours. Wraps `event_base_free`.
  func close() {
    removeAll()
    if !isBorrowed { unsafe event_base_free(base) }
    unsafe base = nil
  }

  // MARK: - Callbacks

  /// Whether one of the loop's callbacks is running.
  var isInCallback: Bool { callbackDepth > 0 }

  /// Makes a call that may run user code.
  func performCallback<Value>(_ body: () -> Value) -> Value {
    callbackDepth += 1
    let value = body()
    callbackDepth -= 1
    if callbackDepth == 0, let due = afterCallbacks.take() { due() }
    return value
  }

  /// Has `body` called when no callback of the loop is running any more.
  func afterCallbacks(_ body: @escaping () -> Void) {
    afterCallbacks = body
  }
}
