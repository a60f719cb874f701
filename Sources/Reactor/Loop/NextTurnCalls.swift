/// A pending call. It is a structure, because a closure stored in an array directly gets a second
/// closure around it.
package struct DueCall {
  package let body: () -> Void

  package init(body: @escaping () -> Void) {
    self.body = body
  }
}

/// The calls that a loop makes in its next turn, in order.
///
/// They use a zero timer. libevent runs activated events within the same turn, so two connections
/// that keep each other busy would starve timers.
@safe
final class NextTurnCalls {
  private var calls: [DueCall] = []
  private var running: [DueCall] = []
  private var runningIndex = 0
  // The registry retains the event, whose closure retains this object while it is called.
  private let turn: Event

  init(_ registry: EventRegistry) {
    let link = Link()
    turn = Event(in: registry, lifetime: .untilRemoved) { _ = link.calls?.run() }
    turn.prepare()
    link.calls = self
  }

  /// Breaks the initialization cycle: the property's closure needs the object that owns the
  /// property.
  private final class Link {
    weak var calls: NextTurnCalls?
  }

  /// Calls that were not made yet.
  var count: Int { calls.count + running.count - runningIndex }

  func add(_ call: @escaping () -> Void) {
    calls.append(DueCall(body: call))
    if calls.count == 1 { turn.add(timeout: .zero) }
  }

  /// Makes the pending calls, but not those that are added meanwhile.
  ///
  /// - Returns: The number of calls made.
  func run() -> Int {
    // A call may run the loop again by another run call.
    guard runningIndex == running.count, !calls.isEmpty else { return 0 }
    swap(&calls, &running)
    runningIndex = 0
    let count = running.count
    while runningIndex < running.count {
      let call = running[runningIndex]
      // Captures are released outside of accesses to this array: their release may run user code.
      running[runningIndex] = DueCall {}
      runningIndex += 1
      call.body()
    }
    running.removeAll(keepingCapacity: true)
    runningIndex = 0
    return count
  }
}
