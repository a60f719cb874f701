import TestSupport

@testable import PosixAIO

/// The end of a queue in the middle of a program.
extension Simulation {
  /// Ends the queue while libc has operations, and checks that everything is completed at once,
  /// that nothing starts any more, and that everything is given back when libc lets go.
  func endQueue() throws {
    if !hasEnded { beginTheEnd() }
    try completeAll()
    guard !journal.isBroken else { return }
    retire()
    journal.check(1, queue.drain() == 0, "a retired queue completes something")
    closeAll()
    try letGo()
    checkTheEndOfAll()
  }

  /// From here on every request is over with what it has.
  func beginTheEnd() {
    journal.note("the end begins, \(unfinished) are unfinished")
    hasEnded = true
    for request in unfinished {
      request.mayBeCancelled = true
      request.mustNotStart = !request.wasHandedOver
    }
    call { queue.beginEnd() }
    libc.startsNothing = true
  }

  /// Some queues wait a little for libc. What it has of regular files ends before that, or the time
  /// is over.
  private func retire() {
    let limit = random.oneIn(4) ? UInt64.random(in: 100_000...900_000, using: &random) : 0
    journal.note("the queue retires within \(limit / 1000) µs, and libc has \(libc.held.count)")
    let end = libc.time + limit
    libc.isWaitedFor = limit > 0
    queue.retire(waitingAtMost: .nanoseconds(limit))
    libc.isWaitedFor = false
    isRetired = true
    let files = libc.held.filter { $0.disk.kind != .pipe }
    journal.check(1, files.isEmpty || libc.time >= end, "there is time left to wait for \(files)")
    checkOrphans()
    // In libc a signal is sent before its operation has ended, so none of them comes now.
    if Orphanage.operationCount == 0 { libc.signals = [] }
  }

  /// Whatever libc has is looked after, and nothing else.
  private func checkOrphans() {
    Orphanage.sweep()
    let count = Orphanage.operationCount
    journal.check(
      1, count == libc.held.count, "\(count) are looked after, and libc has \(libc.held.count)")
  }

  private func completeAll() throws {
    while queue.unfinishedCount > 0, !journal.isBroken {
      moment += 1
      libc.time += UInt64.random(in: 1...50_000, using: &random)
      if random.oneIn(3), libc.isBusy { libc.step() }
      if random.oneIn(4) { try program() }
      let count = queue.drain()
      journal.note("drained: \(count)")
      journal.check(1, count > 0, "\(queue.unfinishedCount) are not completed: \(unfinished)")
    }
  }

  /// libc ends what it still has; the process looks now and then.
  private func letGo() throws {
    while !libc.held.isEmpty {
      libc.step()
      moment += 1
      if random.oneIn(4) { checkOrphans() }
      if random.oneIn(8) { try program() }
    }
    libc.signals = []
    closeAll()
    Orphanage.sweep()
  }

  private func closeAll() {
    // The handlers of closes may open others.
    while let file = files.first(where: \.isOpen) { close(file) }
  }

  private func checkTheEndOfAll() {
    let hot = queue.hot
    journal.check(1, Orphanage.operationCount == 0, "\(Orphanage.operationCount) are never freed")
    journal.check(1, unfinished.isEmpty, "\(unfinished) were not answered")
    journal.check(10, closedCount == fileNumber, "\(fileNumber - closedCount) were not closed")
    // Whatever their handlers were told, and though somebody may still refer to them.
    let open = files.filter { libc.disk(of: $0.file.lanes.first) === $0.disk }
    journal.check(10, open.isEmpty, "still open after their close: \(open.map(\.disk.name))")
    journal.check(
      12,
      hot.heldByteCount == 0 && hot.counts == QueueCounts() && hot.inFlight.isEmpty
        && hot.finished.isEmpty && hot.deadlines.earliest == nil,
      "the state of a retired queue are not empty: \(queue.statistics)")
  }
}

/// Goes on with the program whenever it is told of an operation.
final class SimulationObserver: CompletionQueueObserver {
  private let body: () -> Void

  init(_ body: @escaping () -> Void) { self.body = body }

  func queue(
    _ queue: CompletionQueue, finished operation: FileError.Operation, waiting: Duration,
    service: Duration
  ) {
    body()
  }
}
