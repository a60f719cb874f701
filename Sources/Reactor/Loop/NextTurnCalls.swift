/// A call that is to be made: in a structure, since a closure that is the element of an array gets
/// another closure around it.
package struct DueCall {
  package let body: () -> Void

  package init(body: @escaping () -> Void) {
    self.body = body
  }
}

/// The calls that a loop makes in its next turn, in order.
///
/// By a zero timer, since libevent runs what is activated within the same turn: two connections
/// that keep each other busy would keep timers from theirs.
@safe
final class NextTurnCalls {
  private var calls: [DueCall] = []
  private var running: [DueCall] = []
  private var runningIndex = 0
  // The registry holds the event, which holds this object while it is called.
  private let turn: Event

  init(_ registry: EventRegistry) {
    let link = Link()
    turn = Event(in: registry, lifetime: .untilRemoved) { _ = link.calls?.run() }
    turn.prepare()
    link.calls = self
  }

  /// Breaks the circle of a property whose closure needs the object that it is a property of.
  private final class Link {
    weak var calls: NextTurnCalls?
  }

  /// Calls that were not made yet.
  var count: Int { calls.count + running.count - runningIndex }

  func add(_ call: @escaping () -> Void) {
    calls.append(DueCall(body: call))
    if calls.count == 1 { turn.add(timeout: .zero) }
  }

  /// Makes the calls that are due, and not those that are added meanwhile.
  ///
  /// - Returns: How many.
  func run() -> Int {
    // A call may run the loop by another run call.
    guard runningIndex == running.count, !calls.isEmpty else { return 0 }
    swap(&calls, &running)
    runningIndex = 0
    let count = running.count
    while runningIndex < running.count {
      let call = running[runningIndex]
      // What it captures is released outside of this array's accesses: that may run user code.
      running[runningIndex] = DueCall {}
      runningIndex += 1
      call.body()
    }
    running.removeAll(keepingCapacity: true)
    runningIndex = 0
    return count
  }
}
