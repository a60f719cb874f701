internal import CLibevent
internal import PosixAIO

/// Work that the loop does in the current turn, or in the next one, without a system call.
///
/// libevent runs events that a callback activates within the same turn. Endless work would starve
/// timers and sockets, so each turn has a budget. Work over the budget waits for the next turn with
/// a zero timer, which runs after all descriptors were checked and brings a new budget. libevent
/// does not report when a turn begins. A budget that lasts for several turns does no harm, since
/// the timer is due immediately.
@safe
final class TurnEvent {
  private enum State {
    case idle
    case dueThisTurn
    case dueNextTurn(since: SuspendingClock.Instant)
  }

  private let registry: EventRegistry
  private let budget: () -> Int
  private let counters: EventLoop.Counters
  private let body: (Int) -> Int
  private var left: Int
  private var state = State.idle
  // The registry retains the event, and the event retains this object.
  private weak var event: Event?

  /// - Parameters:
  ///   - budget: How much work may be done before the loop checks all other events, 1 or more;
  ///     evaluated before each run.
  ///   - body: Receives the remaining budget, 1 or more, and returns how much work it did.
  init(
    in registry: EventRegistry, budget: @escaping () -> Int, _ counters: EventLoop.Counters,
    _ body: @escaping (_ budget: Int) -> Int
  ) {
    self.registry = registry
    self.budget = budget
    self.counters = counters
    self.body = body
    left = budget()
    let event = Event(in: registry, lifetime: .untilRemoved) { [self] in fire() }
    event.prepare()
    self.event = event
  }

  /// Runs the work in this turn, or in the next one if no turn runs or the budget is used up.
  func runThisTurn() {
    guard case .idle = state else { return }
    guard left > 0 else { return runNextTurn() }
    state = .dueThisTurn
    event?.activate()
  }

  /// Runs the work after everything else of this turn.
  func runNextTurn() {
    guard case .idle = state else { return }
    state = .dueNextTurn(since: .now)
    event?.add(timeout: .zero)
  }

  private func fire() {
    if case .dueNextTurn(let start) = state {
      left = .max
      counters.statistics.busyTurnTimes.record(.now - start)
    }
    state = .idle
    left = min(left, budget())
    // Used up since the work was requested.
    guard left > 0 else { return runNextTurn() }
    let done = body(left)
    left -= min(left, max(1, done))
  }
}
