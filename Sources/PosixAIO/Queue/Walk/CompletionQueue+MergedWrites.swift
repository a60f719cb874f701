internal import Glibc

/// A variant of the walk: small adjacent writes that wait together become one operation. The way to
/// a helper thread and back is half of the cost of a small write.
///
/// The first of the writes, the *leader*, is submitted. The others join it as its companions.
extension CompletionQueue {
  /// Larger writes are not worth the copy.
  private static let mergeableByteCount = 32 * 1024

  /// How many operations of a file to keep in flight while enough writes wait. The helper goes from
  /// one to the next while the loop completes the first, and neither has to wake the other.
  private static let overlappingCount = 4

  /// The fewest writes that are worth an operation of their own.
  private static let leastWritesPerOperation = 8

  /// Copies a write and the adjacent waiting writes after it into one piece of memory, and makes
  /// those its companions.
  func mergeFollowers(into leader: RequestRef, of file: AIOFile) {
    guard configuration.mergesWrites, file.traits.isRegular, !file.traits.isDirect,
      isMergeable(leader)
    else { return }
    var end = leader.pointee.offset + Int64(leader.pointee.byteCount)
    var total = leader.pointee.byteCount
    var last = leader
    var room = memberLimit(of: file) - 1
    while room > 0, let next = file.waiting.first, next.pointee.kind == .write, isMergeable(next),
      file.traits.isAppending || next.pointee.offset == end,
      total + next.pointee.byteCount <= MergeMemory.byteCount
    {
      removeFromWaiting(next, of: file)
      markJoined(next)
      last.pointee.companion = next
      last = next
      end += Int64(next.pointee.byteCount)
      total += next.pointee.byteCount
      room -= 1
      hot.counters.mergedWriteCount += 1
    }
    guard leader.pointee.companion != nil else { return }
    leader.pointee.mergedByteCount = Int32(total)
    leader.pointee.mergedDoneCount = 0
    unsafe leader.pointee.mergedMemory = gather(leader)
  }

  private func memberLimit(of file: AIOFile) -> Int {
    let count = file.waiting.count + 1
    let operationCount = min(
      Self.overlappingCount - file.inFlightCount, count / Self.leastWritesPerOperation)
    // Appends go one operation at a time; and a sync that waits for all of them waits for the last.
    guard operationCount > 1, !file.traits.isAppending, !file.barrier.hasParkedSyncs else {
      return count
    }
    return count / operationCount
  }

  private func isMergeable(_ write: RequestRef) -> Bool {
    guard unsafe write.pointee.mergedMemory == nil else { return false }
    return write.pointee.byteCount <= Self.mergeableByteCount && write.pointee.byteCount > 0
      && write.pointee.doneCount == 0 && !write.isUnmergeable
  }

  private func gather(_ leader: RequestRef) -> UnsafeMutableRawPointer {
    let memory = unsafe mergeMemory.take()
    var position = 0
    var member: RequestRef? = leader
    while let write = member {
      let count = write.pointee.byteCount
      if let bytes = unsafe write.pointee.memory?.memory.baseAddress {
        unsafe (memory + position).copyMemory(from: bytes, byteCount: count)
      }
      position += count
      member = write.pointee.companion
    }
    return unsafe memory
  }

  /// Splits a merged write that waits: the writes that are done finish, and the others wait in its
  /// place, each on its own.
  func separate(_ leader: RequestRef, of file: AIOFile) {
    removeFromWaiting(leader, of: file)
    endMerged(leader, of: file)
  }

  /// Distributes the bytes that a merged write moved among its members, in order.
  ///
  /// The member at which an error stopped the write gets the error. Those after it were never
  /// tried, and are retried one by one. A cancellation applies to all members.
  func endMerged(_ leader: RequestRef, of file: AIOFile) {
    if let memory = unsafe leader.pointee.mergedMemory { unsafe mergeMemory.put(memory) }
    unsafe leader.pointee.mergedMemory = nil
    var rest = Int(leader.pointee.mergedDoneCount)
    var errorNumber = leader.pointee.errorNumber
    let wasCanceled = leader.wasCanceled
    setOutcome(leader, 0, isCancellation: false)
    var untried = RequestList()
    var member: RequestRef? = leader
    while let write = member {
      member = write.pointee.companion
      write.pointee.companion = nil
      if !(write == leader) { unmarkJoined(write) }
      write.pointee.doneCount = min(rest, write.pointee.byteCount)
      rest -= write.pointee.doneCount
      if write.pointee.doneCount < write.pointee.byteCount {
        guard errorNumber != 0 else {
          untried.append(write)
          continue
        }
        setOutcome(write, errorNumber, isCancellation: wasCanceled)
        if !wasCanceled { errorNumber = 0 }
      }
      finish(write)
    }
    while let write = untried.popLast() {
      markUnmergeable(write)
      returnToFront(write, of: file)
    }
  }

  /// Puts a request back before the others of its file.
  private func returnToFront(_ request: RequestRef, of file: AIOFile) {
    if request.isAbandoned { return finish(request) }
    addToWaitingFront(request, of: file)
    makeReady(file)
  }
}
