internal import CLibevent

/// Keeps a borrowed base running while something is in progress that libevent does not know of:
/// file operations, work on helper threads, tasks.
///
/// `event_base_dispatch` returns when nothing is added to its base. The descriptors that wake the
/// loop stay for its whole life, so they are not counted; this event is, for as long as a callback
/// is to come.
@safe
final class KeepAlive {
  /// Nil for a base of our own, which runs until it is stopped.
  private let event: Event?
  private var count = 0

  /// Only to be counted. Far away, and still a time that libevent can add to its clock.
  private static let never = Duration.seconds(365 * 24 * 60 * 60)

  init(in registry: EventRegistry) {
    event = registry.isBorrowed ? Event(in: registry, lifetime: .untilRemoved) {} : nil
    event?.prepare()
  }

  /// Something is in progress until the matching ``end()``.
  func begin() {
    count += 1
    if count == 1 { event?.add(timeout: Self.never) }
  }

  func end() {
    count -= 1
    if count == 0 { event?.pause() }
  }
}
