internal import Glibc
internal import PosixAIO
internal import SystemPackage

/// How a loop ends: the one way, whoever asks for it. docs/design.md has the page.
///
/// The end does not run libevent. What is left when sockets, timers and watches are gone comes from
/// two descriptors, the queue's and the door's for other threads. So it works while a base of
/// somebody else's is running, and from `deinit`.
extension LoopCore {
  /// Calls that are made after the grace period, in rounds, each for what the one before started.
  private static let lastRoundLimit = 1000

  /// Parts of tasks that are run in one round.
  private static let jobsPerRound = 1024

  /// Rounds in which only tasks go on before `close()` takes it that they wait for nothing of the
  /// loop.
  private static let roundsOfTasksAlone = 64

  // MARK: - The ways to end

  /// Has everything come to its own end but what waits for others. See ``EventLoop/close()``.
  func finish() {
    thread.whileBusy { finishHere() }
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

  /// Answers everything with `ECANCELED` that has no result yet, and ends the loop.
  func cancel() {
    thread.whileBusy { cancelHere() }
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
      tasks.giveUp(after: grace, loopTaskExecutor)
      settleAtOnce()
    }
    dismantle(waitingAtMost: max(.zero, grace - (SuspendingClock.now - start)))
  }

  /// The last reference of a user is gone: ends the loop, if it has not ended.
  func handleIsGoing() {
    // What a fork's child took out of its copy of the base, its parent would miss.
    guard isOpen, thread.isOfThisProcess else { return }
    if !thread.isCurrent {
      // Whoever runs a borrowed base needs no reference, and may be doing so.
      if registry.isBorrowed {
        remote.add(
          .internalBody { core in if core.isOpen, !core.isReferenced { core.handleIsGoing() } })
        return
      }
      // Whoever runs a base of ours has a reference, so nobody does.
      moveToCurrentThread()
    }
    guard registry.isInCallback else { return cancel() }
    // It ends when the outermost callback returns; that keeps the core until then.
    registry.afterCallbacks { [self] in
      if case .open = phase, !isReferenced { cancel() }
    }
  }

  func moveToCurrentThread() {
    require(
      thread.isOfThisProcess,
      "EventLoop: a fork's child shares its parent's descriptors; make a loop of its own there")
    require(!hasEnded, "EventLoop: used after its end")
    guard !thread.isCurrent else { return }
    thread.moveHere()
    queue.moveToCurrentThread()
  }

  // MARK: - Steps

  /// Timers and watches call nobody any more. Who waits on a socket or for a lock is answered in
  /// the next round.
  private func cutWhatWaitsForOthers() {
    registry.removeUsersEvents()
    dependents.end()
    sockets.cutAll()
    helpers.giveUpLockWaits()
  }

  /// Does what is owed until a condition holds.
  ///
  /// - Returns: Whether it holds; false when the time is over before.
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

  /// Answers what is left, and makes the calls that are owed, without waiting for anything. Tasks
  /// are not run any more.
  private func settleAtOnce() {
    executor.suspend()
    helpers.giveUpAll()
    for _ in 0..<Self.lastRoundLimit {
      if makeRound() == 0 { return }
    }
    trap(
      "EventLoop: handlers start new work whenever they are refused, so the loop cannot end")
  }

  /// - Returns: The number of calls made.
  private func makeRound() -> Int {
    registry.performCallback {
      nextTurn.run() + remoteCalls.run(on: self, limit: .max)
        + executor.run(limit: Self.jobsPerRound)
        + files.drain(
          on: self, limit: configuration.queue.completionsPerDrain, sourcesAreReadable: true)
    }
  }

  private func waitForNews(atMost timeout: Duration?) {
    var sources = [queue.descriptor.rawValue, remote.descriptor].map {
      pollfd(fd: $0, events: Int16(POLLIN), revents: 0)
    }
    // Interrupted by a signal, the next round looks again.
    _ = unsafe poll(&sources, nfds_t(sources.count), timeout?.wholeMilliseconds ?? -1)
  }

  /// Takes everything of the loop out of the base, and gives it back.
  private func dismantle(waitingAtMost timeout: Duration) {
    // Before their descriptors are closed. What the events capture is released.
    registry.removeAll()
    queue.beginEnd()
    queue.retire(waitingAtMost: timeout)
    // Asked for by what was released.
    if !obligations.isEmpty { settleAtOnce() }
    phase = .ended
    helpers.close()
    registry.close()
    // Last: from here on another thread runs what is left of actors.
    executor.close(remoteCalls.close())
  }
}

extension Duration {
  /// Rounded up to a millisecond, 0 or more, and no more than poll(2) takes.
  fileprivate var wholeMilliseconds: Int32 {
    let milliseconds = self / .milliseconds(1)
    guard milliseconds < Double(Int32.max) else { return .max }
    return Int32(max(0, milliseconds.rounded(.up)))
  }
}
