internal import CLibevent

/// Keeps a borrowed base running during work that libevent does not know of: file operations, work
/// on helper threads, tasks.
///
/// `event_base_dispatch` returns when a base has no events. The descriptors that wake the loop
/// exist for its whole life, so they are not counted. This event is counted while a callback is
/// expected.
@safe
final class KeepAlive {
  /// Nil for a base of our own, which runs until it is stopped.
  private let event: Event?
  private var count = 0

  /// The event is never meant to fire. The time is far away, but libevent can add it to its clock.
  private static let never = Duration.seconds(365 * 24 * 60 * 60)

  init(in registry: EventRegistry) {
    event = registry.isBorrowed ? Event(in: registry, lifetime: .untilRemoved) {} : nil
    event?.prepare()
  }

  /// Marks work as in progress until the matching ``end()``.
  func begin() {
    count += 1
    if count == 1 { event?.add(timeout: Self.never) }
  }

  func end() {
    count -= 1
    if count == 0 { event?.pause() }
  }
}
