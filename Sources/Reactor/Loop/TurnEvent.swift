internal import CLibevent

/// Work that the loop does in the turn that runs, or in the next one, without a system call.
///
/// libevent runs what is activated in a callback within the same turn. Work without an end would
/// keep timers and sockets from theirs, so what is over its share asks for the next turn: a zero
/// timer, which comes behind a look at all descriptors.
@safe
final class TurnEvent {
  private let event: Event

  init(in registry: EventRegistry, _ body: @escaping () -> Void) {
    event = Event(in: registry, lifetime: .untilRemoved, body)
    event.prepare()
  }

  /// Has the work done in this turn, or in the next if none runs.
  func runThisTurn() {
    event.activate()
  }

  /// Has the work done behind everything else of this turn.
  func runNextTurn() {
    event.add(timeout: .zero)
  }
}
