internal import PosixAIO

extension EventLoop {
  /// Finishes what is under way, and gives everything back.
  ///
  /// In this order: listeners and connections are closed at once, timers, signal and descriptor
  /// watches cancelled; none of them calls any more. The loop runs until all file operations and
  /// offloaded work are done and their callbacks were called, also those that these start; so
  /// cancel first what might wait for ever, such as a read from a pipe. Then calls of other threads
  /// are refused, and dropped if they wait; tasks that are not done run on, on a thread of their
  /// own, where the loop is out of reach. At last its events are taken out of the base, which is
  /// freed if it is the loop's own.
  ///
  /// Close connections before that are to send what they hold. Afterwards only ``remote`` may be
  /// used, which refuses. Closing breaks the circles of callbacks that capture the loop.
  ///
  /// A loop that goes without being closed cancels what is under way: each handler is called, with
  /// `ECANCELED` where there is no result yet. A loop never goes while a file of it is open, or is
  /// being opened.
  ///
  /// Traps inside a callback of the loop, and when the loop was closed before.
  public func close() {
    checkThread()
    precondition(
      runState == .idle, "EventLoop: a callback must not close its loop; stop() it first")
    sockets.close()
    registry.removeUsersEvents()
    // stop() ends a run, and not the closing.
    while !run(until: { queue.unfinishedCount == 0 && helpers.waitingCount == 0 }) {}
    dismantle()
  }

  /// What is done for a loop that goes, closed or not.
  func abandon() {
    queue.abandonAll()
    while queue.unfinishedCount > 0, queue.drain() > 0 {}
    dismantle()
  }

  /// Takes everything of ours out of the base.
  private func dismantle() {
    guard unsafe registry.base != nil else { return }
    queue.requestDrain = nil
    queue.delivered = nil
    executor.close(calls.close())
    sockets.close()
    registry.close()
  }
}
