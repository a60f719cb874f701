/// The order between the writes and the syncs of one file.
///
/// A sync promises that every write accepted before it is on the disk. It is therefore handed to
/// glibc only when those writes are done: the remainder of a short write comes late, and so does a
/// write on another descriptor of the same file. Writes accepted after it do not wait for it.
///
/// Writes between two syncs share an *epoch*. A parked sync stands at the end of its epoch and may
/// go when that epoch and all before it have no write left.
@safe
struct SyncBarrier {
  private struct Epoch {
    var unfinishedWriteCount = 0
    var syncs = RequestList()
  }

  /// The open epoch is the last one. There is always one.
  private var epochs: [Epoch] = [Epoch()]
  /// The number of `epochs[0]`.
  private var firstNumber: UInt64 = 0

  /// Counts a write in, and tells it its epoch.
  mutating func writeAccepted() -> UInt64 {
    epochs[epochs.count - 1].unfinishedWriteCount += 1
    return firstNumber + UInt64(epochs.count - 1)
  }

  /// Whether a sync may go at once; otherwise it is parked.
  mutating func syncMayStart(_ request: RequestRef) -> Bool {
    if epochs.count == 1 && epochs[0].unfinishedWriteCount == 0 { return true }
    if epochs.count > 1 && epochs[epochs.count - 1].unfinishedWriteCount == 0 {
      // Nothing was written since the last sync: both wait for the same writes.
      epochs[epochs.count - 2].syncs.append(request)
    } else {
      epochs[epochs.count - 1].syncs.append(request)
      epochs.append(Epoch())
    }
    return false
  }

  /// Counts a write out, and hands over the syncs that waited for nothing else.
  mutating func writeFinished(epoch: UInt64, _ release: (RequestRef) -> Void) {
    epochs[Int(epoch - firstNumber)].unfinishedWriteCount -= 1
    while epochs.count > 1, epochs[0].unfinishedWriteCount == 0 {
      var ended = epochs.removeFirst()
      firstNumber += 1
      while let sync = ended.syncs.popFirst() {
        release(sync)
      }
    }
  }
}
