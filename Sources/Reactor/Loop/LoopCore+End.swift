internal import Glibc
internal import PosixAIO
internal import SystemPackage

/// The end of a loop, the same for all its causes. docs/design.md describes it.
///
/// The end does not run libevent. When sockets, timers and watches are gone, all remaining events
/// come from two descriptors: the queue's, and the one for other threads. So it works inside a
/// running borrowed base, and from `deinit`. All of it counts as a callback of the loop: what the
/// end releases may run user code, which must not run or end the loop meanwhile.
extension LoopCore {
  /// Rounds of calls after the grace period. Each makes the calls that the previous one started.
  private static let lastRoundLimit = 1000

  /// Task jobs in one round.
  private static let jobsPerRound = 1024

  /// Rounds with task jobs alone, after which `close()` assumes that the tasks do not wait for the
  /// loop.
  private static let roundsOfTasksAlone = 64

  // MARK: - The ways to end

  /// Completes all work that does not depend on outside events. See ``EventLoop/close()``.
  func finish() {
    thread.whileBusy { registry.performCallback { finishHere() } }
  }

  private func finishHere() {
    phase = .finishing
    remote.refuseBodies()
    cutWhatWaitsForOthers()
    let obligations = obligations
    var roundsLeft = Self.roundsOfTasksAlone
    settle { [self] in
      guard obligations.isEmptyButTasks else {
        roundsLeft = Self.roundsOfTasksAlone
        return false
      }
      roundsLeft -= 1
      return !executor.hasReadyJobs || roundsLeft == 0
    }
    tasks.cancelAll()
    let grace = configuration.cancellationGracePeriod
    guard settle(within: grace, { obligations.isEmpty }) else { return cancel() }
    dismantle(waitingAtMost: grace)
  }

  /// Completes all remaining work with `ECANCELED`, and ends the loop.
  func cancel() {
    thread.whileBusy { registry.performCallback { cancelHere() } }
  }

  private func cancelHere() {
    let obligations = obligations
    let start = SuspendingClock.now
    phase = .canceling
    remote.refuseBodies()
    cutWhatWaitsForOthers()
    tasks.cancelAll()
    queue.beginEnd()
    helpers.beginCanceling()
    let grace = configuration.cancellationGracePeriod
    if !settle(within: grace, { obligations.isEmpty }) {
      tasks.giveUp(loopTaskExecutor, "did not end within \(grace) of their cancellation")
      settleAtOnce()
    }
    dismantle(waitingAtMost: max(.zero, grace - (SuspendingClock.now - start)))
  }

  /// As the release of the last reference: completes all remaining work with `ECANCELED`, and ends
  /// the loop, at once or when its current callback returns. Call it once, on the loop's thread.
  ///
  /// - Parameter whenEnded: Called after the end. In a forked child, where nothing else is done, it
  ///   is called at once.
  package func cancelAfterCallbacks(_ whenEnded: @escaping () -> Void) {
    guard isOfThisProcess else { return whenEnded() }
    checkThread()
    guard registry.isInCallback else {
      cancel()
      return whenEnded()
    }
    registry.afterCallbacks { [self] in
      cancel()
      whenEnded()
    }
  }

  /// False in a forked child.
  package var isOfThisProcess: Bool { thread.isOfThisProcess }

  /// Called when the last user reference goes: ends the loop if it has not ended.
  func handleIsGoing() {
    // A forked child shares the base's epoll descriptor: removing events would affect the parent.
    guard isOpen, thread.isOfThisProcess else { return }
    if !thread.isCurrent {
      // A thread that runs a borrowed base needs no reference, and may be running it.
      if registry.isBorrowed {
        remote.add(
          .internalBody { core in if core.isOpen, !core.isReferenced { core.handleIsGoing() } })
        return
      }
      // Running a base of our own requires a reference, so no thread runs it.
      moveToCurrentThread()
    }
    guard registry.isInCallback else { return cancel() }
    // The loop ends when the outermost callback returns; the closure keeps the core until then.
    registry.afterCallbacks { [self] in
      if case .open = phase, !isReferenced { cancel() }
    }
  }

  func moveToCurrentThread() {
    require(
      thread.isOfThisProcess,
      "EventLoop: a forked child shares its parent's descriptors; create a new loop there")
    require(!hasEnded, "EventLoop: used after its end")
    guard !thread.isCurrent else { return }
    thread.moveHere()
    queue.moveToCurrentThread()
  }

  // MARK: - Steps

  /// Stops timers and watches. Operations that wait for a socket or a lock complete in the next
  /// round.
  private func cutWhatWaitsForOthers() {
    registry.removeUsersEvents()
    dependents.end()
    sockets.cutAll()
    helpers.giveUpLockWaits()
  }

  /// Does pending work until a condition holds.
  ///
  /// - Returns: Whether it holds; false if the time is over first.
  @discardableResult
  private func settle(within timeout: Duration? = nil, _ isDone: () -> Bool) -> Bool {
    let start = SuspendingClock.now
    while !isDone() {
      let left = timeout.map { $0 - (SuspendingClock.now - start) }
      if let left, left <= .zero { return false }
      if makeRound() == 0, !executor.hasReadyJobs { waitForNews(atMost: left) }
    }
    return true
  }

  /// Completes the remaining work and makes its calls, without waiting. Tasks do not run any more.
  private func settleAtOnce() {
    executor.suspend()
    helpers.giveUpAll()
    for _ in 0..<Self.lastRoundLimit {
      if makeRound() == 0 { return }
    }
    trap(
      "EventLoop: handlers keep starting new work after ECANCELED, so the loop cannot end")
  }

  /// - Returns: The number of calls made.
  private func makeRound() -> Int {
    nextTurn.run() + remoteCalls.run(on: self, limit: .max)
      + executor.run(limit: Self.jobsPerRound)
      + files.drain(on: self, limit: configuration.queue.completionsPerDrain, sources: .polls)
  }

  private func waitForNews(atMost timeout: Duration?) {
    var sources = [queue.descriptor.rawValue, remote.descriptor].map {
      pollfd(fd: $0, events: Int16(POLLIN), revents: 0)
    }
    // If a signal interrupts the wait, the next round checks again.
    _ = unsafe poll(&sources, nfds_t(sources.count), timeout?.wholeMilliseconds ?? -1)
  }

  /// Removes the loop's events from the base and releases all resources.
  private func dismantle(waitingAtMost timeout: Duration) {
    // Before the descriptors are closed. This releases the events' captures.
    registry.removeAll()
    queue.beginEnd()
    queue.retire(waitingAtMost: timeout)
    // The release of captures may have started new work.
    if !obligations.isEmpty { settleAtOnce() }
    // Started by the last handlers.
    tasks.giveUp(loopTaskExecutor, "began too late")
    phase = .ended
    helpers.close()
    registry.close()
    // Last: from here on another thread runs the remaining actor jobs.
    executor.close(remoteCalls.close())
  }
}

extension Duration {
  /// Rounded up to a millisecond, between 0 and the maximum of poll(2).
  fileprivate var wholeMilliseconds: Int32 {
    let milliseconds = self / .milliseconds(1)
    guard milliseconds < Double(Int32.max) else { return .max }
    return Int32(max(0, milliseconds.rounded(.up)))
  }
}
