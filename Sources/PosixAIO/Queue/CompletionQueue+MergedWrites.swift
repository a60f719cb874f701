internal import Glibc

/// Writes to adjacent places that wait together become one operation: half of the cost of a small
/// write is the way to a helper thread and back.
extension CompletionQueue {
  /// Larger writes are not worth the copy.
  private static let mergeableByteCount = 32 * 1024

  /// So many operations of a file are kept in flight while there is enough to write: the helper
  /// goes from one to the next, and the loop answers the first, without either waking the other up.
  private static let overlappingCount = 4

  /// The fewest writes that are worth an operation of their own.
  private static let leastShare = 8

  /// Copies the writes that follow on this one, in the file and among those that wait, into one
  /// piece of memory, and makes them its companions.
  func mergeFollowers(into leader: RequestRef, of file: AIOFile) {
    guard configuration.mergesWrites, file.traits.isRegular, !file.traits.isDirect,
      isMergeable(leader)
    else { return }
    var end = leader.pointee.offset + Int64(leader.pointee.byteCount)
    var total = leader.pointee.byteCount
    var last = leader
    var room = mostMembers(of: file) - 1
    while room > 0, let next = file.waiting.first, next.pointee.kind == .write, isMergeable(next),
      file.traits.isAppending || next.pointee.offset == end,
      total + next.pointee.byteCount <= MergeMemory.byteCount
    {
      takeWaiting(next, of: file)
      putJoined(next)
      last.pointee.companion = next
      last = next
      end += Int64(next.pointee.byteCount)
      total += next.pointee.byteCount
      room -= 1
      books.counters.mergedWriteCount += 1
    }
    guard leader.pointee.companion != nil else { return }
    leader.pointee.mergedByteCount = Int32(total)
    leader.pointee.mergedDoneCount = 0
    unsafe leader.pointee.mergedMemory = gather(leader)
  }

  private func mostMembers(of file: AIOFile) -> Int {
    let count = file.waiting.count + 1
    let shares = min(Self.overlappingCount - file.inFlightCount, count / Self.leastShare)
    // What is appended goes one operation after the other; and where a sync waits for them all, the
    // last of them counts.
    guard shares > 1, !file.traits.isAppending, !file.barrier.hasParkedSyncs else { return count }
    return count / shares
  }

  private func isMergeable(_ write: RequestRef) -> Bool {
    guard unsafe write.pointee.mergedMemory == nil else { return false }
    return write.pointee.byteCount <= Self.mergeableByteCount && write.pointee.byteCount > 0
      && write.pointee.doneCount == 0 && !write.isSingle
  }

  private func gather(_ leader: RequestRef) -> UnsafeMutableRawPointer {
    let memory = unsafe mergeMemory.take()
    var position = 0
    var member: RequestRef? = leader
    while let write = member {
      let count = write.pointee.byteCount
      if let bytes = unsafe write.pointee.memory?.baseAddress {
        unsafe (memory + position).copyMemory(from: bytes, byteCount: count)
      }
      position += count
      member = write.pointee.companion
    }
    return unsafe memory
  }

  /// Takes a merged write that waits apart: what is written is done, and the rest waits in its
  /// place, each write for itself.
  func separate(_ leader: RequestRef, of file: AIOFile) {
    takeWaiting(leader, of: file)
    endMerged(leader, of: file)
  }

  /// Shares out what a merged write has moved, in order. On an error, the write at which it stopped
  /// gets it; those behind it never had their turn, and are tried for themselves. Only a
  /// cancellation is meant for all.
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
      if !(write == leader) { takeJoined(write) }
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
      markSingle(write)
      returnToFront(write, of: file)
    }
  }

  /// Lets a request wait again, before the others of its file.
  private func returnToFront(_ request: RequestRef, of file: AIOFile) {
    if request.isAbandoned { return finish(request) }
    putWaitingFirst(request, of: file)
    makeReady(file)
  }
}

/// Memory for merged writes, a few pieces of it kept to be used again.
@safe
struct MergeMemory: ~Copyable {
  /// One piece: as much as is written in one go.
  static let byteCount = 256 * 1024
  private static let keptCount = 16

  private var free: [UnsafeMutableRawPointer] = unsafe []

  deinit {
    for index in 0..<(unsafe free.count) {
      unsafe free[index].deallocate()
    }
  }

  mutating func take() -> UnsafeMutableRawPointer {
    unsafe free.popLast()
      ?? .allocate(byteCount: Self.byteCount, alignment: IOBuffer.pageAlignment)
  }

  mutating func put(_ memory: UnsafeMutableRawPointer) {
    if unsafe free.count < Self.keptCount {
      unsafe free.append(memory)
    } else {
      unsafe memory.deallocate()
    }
  }
}
