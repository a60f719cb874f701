internal import CLibevent
internal import Glibc
internal import SystemPackage

/// The event base, and what of ours is added to it.
@safe
final class EventRegistry {
  /// Nil once the loop is gone.
  private(set) var base: OpaquePointer?
  private var events: [ObjectIdentifier: Event] = [:]

  /// Wraps `event_base_new`. Not with a precise timer: libevent would pay for it with a system call
  /// in every turn, whether there is a timer or not.
  init() throws(Errno) {
    errno = 0
    unsafe base = event_base_new()
    guard unsafe base != nil else { throw errno == 0 ? .noMemory : Errno(rawValue: errno) }
  }

  func insert(_ event: Event) {
    events[ObjectIdentifier(event)] = event
  }

  func remove(_ event: Event) {
    events[ObjectIdentifier(event)] = nil
  }

  /// Takes all events out of the base and frees it. Wraps `event_base_free`.
  func close() {
    for event in events.values {
      event.remove()
    }
    unsafe event_base_free(base)
    unsafe base = nil
  }
}
