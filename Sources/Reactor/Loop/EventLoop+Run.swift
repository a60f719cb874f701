internal import PosixAIO
internal import CLibevent

extension EventLoop {
  /// The state of the loop's own run calls.
  enum RunState {
    case idle
    case running
    /// ``stop()`` was called: ends the current run, or the next one at once.
    case stopping
  }

  /// Runs until ``stop()``. Wraps `event_base_loop`.
  ///
  /// The calling thread becomes the loop's. Traps inside a callback of the loop.
  public func run() {
    while turn() {}
    core.runState = .idle
  }

  /// Waits for events, runs their callbacks, and returns. Returns at once after ``stop()``.
  public func runOnce() {
    turn()
    core.runState = .idle
  }

  /// Runs until a condition holds. Traps inside a callback of the loop.
  ///
  /// - Parameters:
  ///   - condition: Checked before the first turn and after each one.
  ///   - timeout: The longest time to run, more than 0. The default is no limit.
  /// - Returns: Whether the condition holds; false after the timeout or ``stop()``.
  @discardableResult
  public func run(until condition: () -> Bool, timeout: Duration? = nil) -> Bool {
    takeOver()
    var isOver = false
    let deadline = timeout.map { schedule(after: $0) { isOver = true } }
    var isMet = condition()
    while !isMet, !isOver, turn() {
      isMet = condition()
    }
    // Checked after the last turn too: one turn may both reach the timeout and meet the condition.
    deadline?.cancel()
    core.runState = .idle
    return isMet
  }

  /// Runs for a time, or until ``stop()``.
  ///
  /// - Parameter duration: More than 0.
  public func run(for duration: Duration) {
    run(until: { false }, timeout: duration)
  }

  /// Makes the active run call return after the current callback. If none is active, the next one
  /// returns at once. Wraps `event_base_loopbreak`.
  ///
  /// It ends only the loop's own run calls. A base that C code runs must be stopped by that code.
  public func stop() {
    guard core.refusal == nil else { return }
    if core.runState == .running { unsafe event_base_loopbreak(core.base) }
    core.runState = .stopping
  }

  /// Prepares a run on the calling thread.
  private func takeOver() {
    moveToCurrentThread()
    require(
      !core.registry.isInCallback,
      "EventLoop: a callback must not run its loop; return from it instead")
  }

  /// - Returns: Whether to continue; false after `stop()`.
  @discardableResult
  private func turn() -> Bool {
    takeOver()
    guard core.runState != .stopping else { return false }
    core.runState = .running
    let status = core.thread.whileBusy {
      unsafe event_base_loop(core.base, EVLOOP_ONCE | EVLOOP_NO_EXIT_ON_EMPTY)
    }
    core.counters.statistics.turnCount += 1
    require(
      status >= 0, "EventLoop: the base is already running; a callback must not run it again")
    return core.runState == .running
  }
}
