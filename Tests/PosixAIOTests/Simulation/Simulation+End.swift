import TestSupport

@testable import PosixAIO

/// The end of a queue in the middle of a program.
extension Simulation {
  /// Ends the queue while libc has operations, and checks that everything is completed at once, that
  /// nothing starts any more, and that everything is given back when libc lets go.
  func endQueue() throws {
    journal.note("the end begins, \(unfinished) are unfinished")
    hasEnded = true
    for request in unfinished {
      request.mayBeCancelled = true
      request.mustNotStart = !request.wasHandedOver
    }
    call { queue.beginEnd() }
    libc.startsNothing = true
    try completeAll()
    journal.note("the queue retires, and libc has \(libc.held.count)")
    queue.retire(waitingAtMost: .zero)
    // In libc a signal is sent before its operation has ended, so none of them comes now.
    if Orphanage.operationCount == 0 { libc.signals = [] }
    isRetired = true
    journal.check(1, queue.drain() == 0, "a retired queue completes something")
    for file in files where file.isOpen { close(file) }
    try letGo()
    checkTheEndOfAll()
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
      if random.oneIn(4) { Orphanage.sweep() }
      if random.oneIn(8) { try program() }
    }
    libc.signals = []
    for file in files where file.isOpen { close(file) }
    Orphanage.sweep()
  }

  private func checkTheEndOfAll() {
    let books = queue.books
    journal.check(1, Orphanage.operationCount == 0, "\(Orphanage.operationCount) are never freed")
    journal.check(1, unfinished.isEmpty, "\(unfinished) were not answered")
    journal.check(10, closedCount == fileNumber, "\(fileNumber - closedCount) were not closed")
    journal.check(
      12,
      books.heldByteCount == 0 && books.counts == QueueCounts() && books.inFlight.isEmpty
        && books.finished.isEmpty && books.deadlines.earliest == nil,
      "the books of a retired queue are not empty: \(queue.figures)")
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
