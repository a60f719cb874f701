/// The order between the writes and the syncs of one file.
///
/// A sync promises that every write accepted before it is durable. A write on another descriptor of
/// the file may end late, so a sync goes to glibc when those writes have ended. Or it follows them
/// on their descriptor; then its outcome is checked after it has run, since the remainder of a
/// short write comes later. Writes accepted after a sync do not wait for it.
///
/// The writes between two syncs share an *epoch*. A sync is parked at the end of its epoch until
/// that epoch and all before it have no unfinished write. Then it is *due*. When one due sync is
/// submitted, all due syncs of the file become part of it. A file has one sync in flight at a time.
@safe
struct SyncBarrier {
  fileprivate struct Epoch {
    var unfinishedWriteCount = 0
    var syncs = RequestList()
  }

  /// The epoch of a sync that does not wait for any write.
  private static let due = UInt64.max

  /// The last one is the current epoch. There is always one.
  fileprivate var epochs = unsafe Self.untouched
  // Shared by all files without writes, so that they need no memory for it.
  nonisolated(unsafe) private static let untouched = [Epoch()]
  /// The number of `epochs[0]`.
  private var firstNumber: UInt64 = 0
  fileprivate var dueSyncs = RequestList()
  private var isSyncing = false
  /// How many requests of the queue must have completed before the next sync starts; nil for no
  /// such condition.
  private(set) var deferredUntil: UInt64?
  /// The earliest epoch with a short write since the current sync was taken; its remainder is
  /// written after that sync, which therefore does not cover it.
  private var shortEpoch = UInt64.max
  /// The earliest epoch with a failed write.
  private var failedEpoch = UInt64.max

  /// Whether a sync waits for writes.
  var hasParkedSyncs: Bool { epochs.contains { !$0.syncs.isEmpty } }

  /// Adds a write to the current epoch.
  ///
  /// - Returns: The number of the epoch.
  mutating func writeEnqueued() -> UInt64 {
    epochs[epochs.count - 1].unfinishedWriteCount += 1
    return firstNumber + UInt64(epochs.count - 1)
  }

  /// Removes a write from its epoch.
  mutating func writeFinished(epoch: UInt64, isFailure: Bool = false) {
    if isFailure { failedEpoch = min(failedEpoch, epoch) }
    epochs[Int(epoch - firstNumber)].unfinishedWriteCount -= 1
    while epochs.count > 1, epochs[0].unfinishedWriteCount == 0 {
      var ended = epochs.removeFirst()
      firstNumber += 1
      while let sync = ended.syncs.popFirst() {
        makeDue(sync)
      }
    }
  }

  /// The rest of a write is still to be written.
  mutating func writeCameBackShort(epoch: UInt64) {
    shortEpoch = min(shortEpoch, epoch)
  }

  mutating func park(_ sync: RequestRef) {
    let open = epochs.count - 1
    if epochs[open].unfinishedWriteCount > 0 {
      sync.pointee.epoch = firstNumber + UInt64(open)
      epochs[open].syncs.append(sync)
      epochs.append(Epoch())
    } else if open > 0 {
      // Nothing was written since the last sync, so both wait for the same writes.
      sync.pointee.epoch = firstNumber + UInt64(open - 1)
      epochs[open - 1].syncs.append(sync)
    } else {
      makeDue(sync)
    }
  }

  /// Removes a parked sync.
  mutating func remove(_ sync: RequestRef) {
    if sync.pointee.epoch == Self.due {
      dueSyncs.remove(sync)
    } else {
      epochs[Int(sync.pointee.epoch - firstNumber)].syncs.remove(sync)
    }
  }

  /// Delays the next sync until this many requests of the queue have completed.
  mutating func deferNext(until completedCount: UInt64) {
    deferredUntil = completedCount
  }

  mutating func endDeferral() {
    deferredUntil = nil
  }

  /// The sync to run next; nil if none is due, or if the one before has not ended.
  mutating func takeDue() -> RequestRef? {
    guard !isSyncing, deferredUntil == nil, let leader = dueSyncs.popFirst() else { return nil }
    isSyncing = true
    shortEpoch = .max
    return leader
  }

  /// As ``takeDue()``, but takes syncs that wait for writes too, and makes all of them due until
  /// the sync is submitted. For when glibc will have run those writes before the sync. Nil if
  /// writes were accepted after the last sync, since they would run before it too.
  mutating func takeAfterWrites() -> RequestRef? {
    guard !isSyncing, deferredUntil == nil, epochs[epochs.count - 1].unfinishedWriteCount == 0
    else { return nil }
    for index in epochs.indices {
      while let sync = epochs[index].syncs.popFirst() { dueSyncs.append(sync) }
    }
    return takeDue()
  }

  /// What a sync that has run is worth.
  enum Outcome {
    case kept
    /// A write before it was short, and its remainder came later.
    case isEarly
    /// A write before it has failed.
    case isBroken
  }

  func outcome(of sync: RequestRef) -> Outcome {
    guard sync.pointee.epoch != Self.due else { return .kept }
    if sync.pointee.epoch >= failedEpoch { return .isBroken }
    let isWhole = sync.pointee.epoch < min(firstNumber, shortEpoch)
    return isWhole ? .kept : .isEarly
  }

  /// Makes a sync wait again for the writes that it waited for before.
  mutating func parkAgain(_ sync: RequestRef) {
    if sync.pointee.epoch < firstNumber || sync.pointee.epoch == Self.due {
      makeDue(sync)
    } else {
      epochs[Int(sync.pointee.epoch - firstNumber)].syncs.append(sync)
    }
  }

  /// Undoes ``takeAfterWrites()`` when the submission failed.
  mutating func parkAgainAfterWrites() {
    var syncs = dueSyncs
    dueSyncs = RequestList()
    while let sync = syncs.popFirst() { parkAgain(sync) }
  }

  /// Whether the leader and all due syncs ask for the data only.
  func isDataEnough(for leader: RequestRef) -> Bool {
    var next: RequestRef? = leader.pointee.kind == .dataSync ? dueSyncs.first : leader
    while let sync = next {
      if sync.pointee.kind == .sync { return false }
      next = sync.pointee.next
    }
    return true
  }

  /// Removes the last due sync, which a sync that was just submitted serves too.
  mutating func takeLastDue() -> RequestRef? { dueSyncs.popLast() }

  /// The sync from ``takeDue()`` has ended, or will not run.
  mutating func syncEnded() {
    isSyncing = false
  }

  private mutating func makeDue(_ sync: RequestRef) {
    sync.pointee.epoch = Self.due
    dueSyncs.append(sync)
  }
}

extension SyncBarrier {
  /// Calls `body` for every parked sync; it may remove them.
  func forEachParked(_ body: (RequestRef) -> Void) {
    var parked: [RequestRef] = []
    for list in epochs.map(\.syncs) + [dueSyncs] {
      var sync = list.first
      while let current = sync {
        parked.append(current)
        sync = current.pointee.next
      }
    }
    parked.forEach(body)
  }
}
