internal import CLibevent
internal import PosixAIO

/// Work that the loop does in the turn that runs, or in the next one, without a system call.
///
/// libevent runs what is activated in a callback within the same turn. Work without an end would
/// keep timers and sockets from theirs, so it has a share. What is over that asks for the next turn
/// by a zero timer, which comes behind a look at all descriptors, and brings a new share. libevent
/// does not say when a turn begins; a share that lasts for several turns does no harm, since the
/// timer is due at once.
@safe
final class TurnEvent {
  private enum State {
    case idle
    case dueThisTurn
    case dueNextTurn(since: SuspendingClock.Instant)
  }

  private let registry: EventRegistry
  private let share: () -> Int
  private let counters: EventLoop.Counters
  private let body: (Int) -> Int
  private var left: Int
  private var state = State.idle
  // The registry holds it, and it holds this object.
  private weak var event: Event?

  /// - Parameters:
  ///   - share: How much may be done before the loop has a look at everything else, 1 or more;
  ///     asked before the work is done.
  ///   - body: Gets how much it may do, 1 or more, and returns how much it did.
  init(
    in registry: EventRegistry, share: @escaping () -> Int, _ counters: EventLoop.Counters,
    _ body: @escaping (_ share: Int) -> Int
  ) {
    self.registry = registry
    self.share = share
    self.counters = counters
    self.body = body
    left = share()
    let event = Event(in: registry, lifetime: .untilRemoved) { [self] in fire() }
    event.prepare()
    self.event = event
  }

  /// Has the work done in this turn, or in the next if none runs or the share is used up.
  func runThisTurn() {
    guard case .idle = state else { return }
    guard left > 0 else { return runNextTurn() }
    state = .dueThisTurn
    event?.activate()
  }

  /// Has the work done behind everything else of this turn.
  func runNextTurn() {
    guard case .idle = state else { return }
    state = .dueNextTurn(since: .now)
    event?.add(timeout: .zero)
  }

  private func fire() {
    if case .dueNextTurn(let start) = state {
      left = .max
      counters.figures.busyTurnTimes.record(.now - start)
    }
    state = .idle
    left = min(left, share())
    // Used up since it was asked for.
    guard left > 0 else { return runNextTurn() }
    let done = body(left)
    left -= min(left, max(1, done))
  }
}
