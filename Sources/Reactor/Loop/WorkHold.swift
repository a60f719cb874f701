internal import CLibevent

/// Keeps a borrowed base running while something is under way of which libevent does not know: file
/// operations, work on helper threads, tasks.
///
/// `event_base_dispatch` returns when nothing is added to its base. What a loop needs for good, the
/// descriptors that wake it, is not counted, or it would never return; so this is, for as long as a
/// callback is to come.
@safe
final class WorkHold {
  /// Nil for a base of our own, which runs until it is stopped.
  private let event: Event?
  private var count = 0

  /// Only to be counted. Far enough, and libevent can add it to its clock.
  private static let never = Duration.seconds(365 * 24 * 60 * 60)

  init(in registry: EventRegistry) {
    event = registry.isBorrowed ? Event(in: registry, lifetime: .untilRemoved) {} : nil
    event?.prepare()
  }

  /// Whether nothing is under way.
  var isIdle: Bool { count == 0 }

  /// Something is under way, until the matching ``end()``.
  func begin() {
    count += 1
    if count == 1 { event?.add(timeout: Self.never) }
  }

  func end() {
    count -= 1
    if count == 0 { event?.pause() }
  }
}
