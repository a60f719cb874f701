/// The order between the writes and the syncs of one file.
///
/// A sync promises that every write accepted before it is on the disk. It is therefore handed to
/// glibc when those writes are done, since a write on another descriptor of the same file may come
/// late; or behind them on their descriptor, and then looked at again when it has run, since the
/// remainder of a short write comes late too. Writes accepted after it do not wait for it.
///
/// Writes between two syncs share an *epoch*. A sync parks at the end of its epoch until that epoch
/// and all before it have no write left. Then it is *due*; and all that are due when one is handed
/// to glibc become one sync of the file. None is while another runs.
@safe
struct SyncBarrier {
  fileprivate struct Epoch {
    var unfinishedWriteCount = 0
    var syncs = RequestList()
  }

  /// The epoch number of a sync that waits for no write any more.
  private static let due = UInt64.max

  /// The open epoch is the last one. There is always one.
  fileprivate var epochs = unsafe Self.untouched
  // Shared by all files that are only read, which need no memory for it.
  nonisolated(unsafe) private static let untouched = [Epoch()]
  /// The number of `epochs[0]`.
  private var firstNumber: UInt64 = 0
  fileprivate var dueSyncs = RequestList()
  private var isSyncing = false
  /// How many completions are to be delivered before the next sync is taken; nil if none.
  private(set) var deferredUntil: UInt64?
  /// The first epoch of which a write came back short since the sync that runs was taken: the rest
  /// of it comes behind that sync, however soon it ends.
  private var shortEpoch = UInt64.max
  /// The first epoch in which a write failed.
  private var failedEpoch = UInt64.max

  /// Whether a sync waits for writes.
  var hasParkedSyncs: Bool { epochs.contains { !$0.syncs.isEmpty } }

  /// Counts a write in, and tells it its epoch.
  mutating func writeAccepted() -> UInt64 {
    epochs[epochs.count - 1].unfinishedWriteCount += 1
    return firstNumber + UInt64(epochs.count - 1)
  }

  /// Counts a write out.
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

  /// A write goes on with its rest.
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
      // Nothing was written since the last sync: both wait for the same writes.
      sync.pointee.epoch = firstNumber + UInt64(open - 1)
      epochs[open - 1].syncs.append(sync)
    } else {
      makeDue(sync)
    }
  }

  /// Takes out a parked sync.
  mutating func remove(_ sync: RequestRef) {
    if sync.pointee.epoch == Self.due {
      dueSyncs.remove(sync)
    } else {
      epochs[Int(sync.pointee.epoch - firstNumber)].syncs.remove(sync)
    }
  }

  /// Has the next sync wait until so many completions are delivered.
  mutating func deferNext(until completedCount: UInt64) {
    deferredUntil = completedCount
  }

  mutating func endDeferral() {
    deferredUntil = nil
  }

  /// The sync to run next; nil while none is due, or the one before has not ended.
  mutating func takeDue() -> RequestRef? {
    guard !isSyncing, deferredUntil == nil, let leader = dueSyncs.popFirst() else { return nil }
    isSyncing = true
    shortEpoch = .max
    return leader
  }

  /// As ``takeDue()``, of those that wait for writes too; all of them count as due until one is
  /// handed over. For when glibc will have run the writes before the sync. Nil also where writes
  /// were accepted after the last sync, which would be before it then.
  mutating func takeBehindWrites() -> RequestRef? {
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
    /// A write before it was not whole.
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

  /// Has a sync wait again for the writes for which it waited before.
  mutating func parkAgain(_ sync: RequestRef) {
    if sync.pointee.epoch < firstNumber || sync.pointee.epoch == Self.due {
      makeDue(sync)
    } else {
      epochs[Int(sync.pointee.epoch - firstNumber)].syncs.append(sync)
    }
  }

  /// After ``takeBehindWrites()``, when nothing was handed over.
  mutating func parkAgainWhatWaitsForWrites() {
    var syncs = dueSyncs
    dueSyncs = RequestList()
    while let sync = syncs.popFirst() { parkAgain(sync) }
  }

  /// Whether all that are due, and this one, ask for the data alone.
  func isDataEnough(for leader: RequestRef) -> Bool {
    var next: RequestRef? = leader.pointee.kind == .dataSync ? dueSyncs.first : leader
    while let sync = next {
      if sync.pointee.kind == .sync { return false }
      next = sync.pointee.next
    }
    return true
  }

  /// Takes out the last that is due, for a sync that glibc has just got to serve it too.
  mutating func takeLastDue() -> RequestRef? { dueSyncs.popLast() }

  /// The sync that ``takeDue()`` gave has ended, or will not run.
  mutating func syncEnded() {
    isSyncing = false
  }

  private mutating func makeDue(_ sync: RequestRef) {
    sync.pointee.epoch = Self.due
    dueSyncs.append(sync)
  }
}

extension SyncBarrier {
  /// Every parked sync; the body may take them out.
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
