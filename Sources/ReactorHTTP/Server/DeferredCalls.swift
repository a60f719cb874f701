internal import CLibevent
internal import Reactor

/// Calls that the loop makes when the present callback has returned, in order.
///
/// Callbacks of the user never run from inside the call that caused them, nor in the middle of one
/// of libevent's own.
@safe
final class DeferredCalls {
  /// When the calls are made.
  enum Turn {
    /// Before the loop looks at descriptors and timers again. Not for the user's callbacks, each of
    /// which may ask for the next one: they would keep timers and other connections from theirs.
    case present
    /// Behind a look at all descriptors. By a zero timer, since libevent runs what is activated
    /// within the same turn.
    case next
  }

  private let turn: Turn
  private let core: LoopCore
  private var calls: [DueCall] = []

  /// Nil once the calls are left to the loop.
  private var event: OpaquePointer?

  init(_ core: LoopCore, in turn: Turn) {
    self.turn = turn
    self.core = core
    unsafe event = makeEvent(core, -1, 0, call: onTurn, on: self)
  }

  deinit {
    if let event = unsafe event { unsafe event_free(event) }
  }

  /// Has the loop make a call. Wraps `event_active` and `event_add`.
  func add(_ call: @escaping () -> Void) {
    guard let event = unsafe event else { return leave([DueCall(body: call)]) }
    calls.append(DueCall(body: call))
    guard calls.count == 1 else { return }
    switch turn {
    case .present: unsafe event_active(event, Int32(EV_TIMEOUT), 0)
    case .next:
      var atOnce = timeval()
      unsafe event_add(event, &atOnce)
    }
  }

  /// Leaves what is to be called, now and later, to the loop itself, when the server or the loop
  /// ends: the calls hold their exchange and that holds this object, a circle that would otherwise
  /// last.
  func handOver() {
    guard let event = unsafe event else { return }
    unsafe event_free(event)
    unsafe self.event = nil
    if !calls.isEmpty { leave(takeCalls()) }
  }

  private func leave(_ calls: [DueCall]) {
    // After the loop's end nothing is left to be told of.
    guard !core.hasEnded else { return }
    for call in calls { core.later(call.body) }
  }

  /// Makes the calls now.
  func makeCalls() {
    core.performCallback {
      for call in takeCalls() { call.body() }
    }
  }

  private func takeCalls() -> [DueCall] {
    defer { calls = [] }
    return calls
  }
}

private func onTurn(_: Int32, _: Int16, _ context: UnsafeMutableRawPointer?) {
  unsafe recover(DeferredCalls.self, context).makeCalls()
}
