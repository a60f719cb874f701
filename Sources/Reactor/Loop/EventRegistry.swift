internal import CLibevent
internal import Glibc
internal import PosixAIO
internal import SystemPackage

/// The event base, and the loop's events in it.
@safe
final class EventRegistry {
  /// Nil once the loop has ended.
  private(set) var base: OpaquePointer?

  /// Whether the base belongs to the caller, which frees it.
  let isBorrowed: Bool

  /// The loop's events that libevent counts and that are not latency-critical: timers, signals, and
  /// work of the next turn.
  var backgroundEventCount = 0

  private var events: [ObjectIdentifier: Event] = [:]
  private var ownEvents: Set<ObjectIdentifier> = []

  private var callbackDepth = 0
  private var afterCallbacks: (() -> Void)?

  /// - Parameter base: The caller's base, or nil to create one. Wraps `event_base_new`, without a
  ///   precise timer: that would cost libevent a system call in every turn, even without timers.
  init(borrowing base: OpaquePointer?) throws(Errno) {
    isBorrowed = unsafe base != nil
    if unsafe base == nil { try Self.checkThatABaseCanBeMade() }
    errno = 0
    unsafe self.base = base ?? event_base_new()
    guard unsafe self.base != nil else { throw errno == 0 ? .noMemory : .ofLastCall }
  }

  /// Pipes with as many descriptors as a base opens: an epoll descriptor, a pipe for signals, and
  /// an eventfd if libevent's thread support is on.
  private static let pipesForABase = 2

  /// Throws EMFILE or ENFILE where `event_base_new` would end the process: libevent treats missing
  /// descriptors for its signals as fatal.
  private static func checkThatABaseCanBeMade() throws(Errno) {
    var reserved: [Int32] = []
    defer { for number in reserved { Glibc.close(number) } }
    for _ in 0..<pipesForABase {
      var ends: [Int32] = [0, 0]
      guard unsafe pipe(&ends) == 0 else { throw .ofLastCall }
      reserved += ends
    }
  }

  /// Whether descriptors besides the loop's own are watched: a socket, a watch, or any event that
  /// other code has added to the base. Wraps `event_base_get_num_events`.
  var watchesOthers: Bool {
    unsafe event_base_get_num_events(base, UInt32(EVENT_BASE_COUNT_ADDED)) > backgroundEventCount
  }

  func insert(_ event: Event) {
    events[ObjectIdentifier(event)] = event
  }

  func remove(_ event: Event) {
    // The event's captures are released after the access: their release may run user code.
    _ = events.removeValue(forKey: ObjectIdentifier(event))
  }

  /// Marks all present events as the loop's own. Events that are added later belong to the user.
  func seal() {
    ownEvents = Set(events.keys)
  }

  /// Removes the user's timers and watches from the base.
  func removeUsersEvents() {
    // Removing one may release the last reference to another.
    for event in Array(events.values) where !ownEvents.contains(ObjectIdentifier(event)) {
      event.remove()
    }
  }

  /// Removes all events from the base.
  func removeAll() {
    for event in Array(events.values) {
      event.remove()
    }
  }

  /// As ``removeAll()``, and frees the base if the loop created it. Wraps `event_base_free`.
  func close() {
    removeAll()
    if !isBorrowed { unsafe event_base_free(base) }
    unsafe base = nil
  }

  // MARK: - Callbacks

  /// Whether one of the loop's callbacks is running.
  var isInCallback: Bool { callbackDepth > 0 }

  /// Calls code that may run user code.
  func performCallback<Value>(_ body: () -> Value) -> Value {
    callbackDepth += 1
    let value = body()
    callbackDepth -= 1
    if callbackDepth == 0, let due = afterCallbacks.take() { due() }
    return value
  }

  /// Calls `body` when no callback of the loop is running any more.
  func afterCallbacks(_ body: @escaping () -> Void) {
    afterCallbacks = body
  }
}
