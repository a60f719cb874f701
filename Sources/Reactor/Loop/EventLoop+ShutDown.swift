internal import PosixAIO

extension EventLoop {
  /// Closes the loop in good order, and within a time.
  ///
  /// Listeners are closed at once. Then the loop runs until its connections have closed and its
  /// file operations, offloaded work and tasks are done, or until the time is over, or ``stop()``.
  /// What is left is cut off: connections are closed, and file operations answered with
  /// `ECANCELED`, while tasks run on as ``close()`` says. At last the loop is closed.
  ///
  /// It cannot know which connections are idle: whoever keeps them open for a next request closes
  /// them. Offloaded work that has begun is waited for, however long it takes.
  ///
  /// Traps inside a callback of the loop, and when the loop was closed before.
  ///
  /// - Parameter timeout: The longest to wait for what is under way, 0 or more.
  /// - Returns: Whether everything had ended by itself.
  @discardableResult
  public func shutDown(within timeout: Duration) -> Bool {
    checkThread()
    precondition(
      runState == .idle, "EventLoop: a callback must not shut its loop down; stop() it first")
    precondition(timeout >= .zero, "EventLoop: a time is 0 or more")
    sockets.closeListeners()
    // Requests of before the first turn are not in the hold yet.
    let isOver = { [self] in sockets.isEmpty && queue.unfinishedCount == 0 && hold.isIdle }
    let hasEnded = timeout == .zero ? isOver() : run(until: isOver, timeout: timeout)
    if !hasEnded { queue.abandonAll() }
    close()
    return hasEnded
  }
}
