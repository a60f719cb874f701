/// Which sync is next.
extension CompletionQueue {
  /// Lets a sync of a file that is due wait for its hand-over, which takes the others along.
  func startDueSync(_ file: AIOFile) {
    guard let leader = file.barrier.takeDue() else { return }
    takeParked(leader)
    // In front: it waits for no write that is waiting.
    putWaitingFirst(leader, of: file)
    makeReady(file)
  }

  /// When a sync has ended: has the next one wait until those who waited for the last are called.
  /// What they write next, it serves as well. Else those who append and wait, each for themselves,
  /// fall into two halves that take turns.
  func deferNextSync(_ file: AIOFile) {
    guard !books.finished.isEmpty else { return startDueSync(file) }
    // None runs meanwhile, so the file is not among those that wait.
    books.deferred.append(file)
    file.barrier.deferNext(
      until: books.counters.completedCount + UInt64(books.finished.count))
  }

  /// Goes on with those that have waited long enough.
  func takeUpDeferredSyncs() {
    while let file = books.deferred.first, let goal = file.barrier.deferredUntil,
      books.counters.completedCount >= goal
    {
      _ = books.deferred.popFirst()
      file.barrier.endDeferral()
      // A write that waits takes the sync along when it is handed over, or starts it when it ends.
      // That of a stream does not: its writes go one after the other.
      let hasWrite = file.waiting.first?.pointee.kind == .write
      if !hasWrite || !file.traits.keepsWritesInOrder { startDueSync(file) }
    }
  }
}
