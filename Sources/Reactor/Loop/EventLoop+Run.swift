internal import PosixAIO
internal import CLibevent

extension EventLoop {
  /// Whether one of the loop's own run calls is active.
  enum RunState {
    case idle
    case running
    /// ``stop()`` was called: the present run ends, or the next one at once.
    case stopping
  }

  /// Runs until ``stop()``. Wraps `event_base_loop`.
  ///
  /// The calling thread becomes the loop's. Traps inside a callback of the loop.
  public func run() {
    while turn() {}
    core.runState = .idle
  }

  /// Waits until something happens, runs the callbacks of it, and returns. Returns at once after
  /// ``stop()``.
  public func runOnce() {
    turn()
    core.runState = .idle
  }

  /// Runs until a condition holds.
  ///
  /// - Parameters:
  ///   - condition: Asked before the first turn and after each one.
  ///   - timeout: The longest to run, more than 0; without one, as long as it takes.
  /// - Returns: Whether the condition holds; false after the timeout or ``stop()``.
  @discardableResult
  public func run(until condition: () -> Bool, timeout: Duration? = nil) -> Bool {
    moveToCurrentThread()
    var isOver = false
    let deadline = timeout.map { schedule(after: $0) { isOver = true } }
    var isMet = condition()
    while !isMet, !isOver, turn() {
      isMet = condition()
    }
    // After the last turn as well: what made the time run out may have met it.
    deadline?.cancel()
    core.runState = .idle
    return isMet
  }

  /// Runs for a while, or until ``stop()``.
  ///
  /// - Parameter duration: More than 0.
  public func run(for duration: Duration) {
    run(until: { false }, timeout: duration)
  }

  /// Makes the run call that is active return after the callback that is running; before one, makes
  /// that return at once. Wraps `event_base_loopbreak`.
  ///
  /// A base that C code runs is C's to stop: here only the loop's own run calls end.
  public func stop() {
    guard core.refusal == nil else { return }
    if core.runState == .running { unsafe event_base_loopbreak(core.base) }
    core.runState = .stopping
  }

  /// - Returns: Whether to go on: false after `stop()`.
  @discardableResult
  private func turn() -> Bool {
    moveToCurrentThread()
    require(
      !core.registry.isInCallback,
      "EventLoop: a callback must not run its loop; return from it instead")
    guard core.runState != .stopping else { return false }
    core.runState = .running
    let status = core.thread.whileBusy {
      unsafe event_base_loop(core.base, EVLOOP_ONCE | EVLOOP_NO_EXIT_ON_EMPTY)
    }
    core.counters.statistics.turnCount += 1
    require(
      status >= 0, "EventLoop: the base runs already; a callback must not run it once more")
    return core.runState == .running
  }
}
