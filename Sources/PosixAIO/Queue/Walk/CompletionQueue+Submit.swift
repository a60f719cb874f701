internal import CPosixAIO
internal import Glibc
internal import SystemPackage

/// Step 2 of a request: it leaves its file's waiting list and goes to glibc.
extension CompletionQueue {
  /// Why a file's slice of a submission round ended.
  enum SliceEnd {
    /// Nothing of the file waits any more.
    case finished
    /// The slice's budget is used up; the file goes to the back of the line.
    case budgetUsed
    /// The file may have no more in flight; a completion makes it ready again.
    case fileIsFull
    /// The queue may submit nothing more now.
    case queueIsFull
  }

  /// The most requests that one file submits before the next file's slice.
  private static let requestsPerSlice = 64

  /// The number of groups that a file's in-flight operations are split into. Fewer groups means
  /// fewer signals, but one slow operation then delays the completion of more others.
  private static let groupsInFlight = 8

  /// Submits the waiting requests, as far as the limits allow.
  ///
  /// - Parameter cachedReadBudget: How many more reads may try the page cache in this drain.
  func submitReady(_ cachedReadBudget: inout Int) {
    var isBlocked = false
    while !isBlocked, let file = hot.ready.popFirst() {
      switch submitSlice(of: file, &cachedReadBudget) {
      case .finished, .fileIsFull:
        file.isReady = false
        if file.traits.mayBlockForever { passOnPlaces(of: file) }
      case .budgetUsed:
        hot.ready.append(file)
        isBlocked = cachedReadBudget == 0
      case .queueIsFull:
        hot.ready.append(file)
        isBlocked = true
      }
    }
  }

  private func submitSlice(of file: AIOFile, _ cachedReadBudget: inout Int) -> SliceEnd {
    if file.traits.mayBlockForever { return submitBlockingFile(file) }
    var budget = Self.requestsPerSlice
    while let request = file.waiting.first {
      guard budget > 0 else { return .budgetUsed }
      if request.pointee.kind == .read, file.readsCacheFirst, !request.missedCache {
        guard cachedReadBudget > 0 else { return .budgetUsed }
        cachedReadBudget -= 1
        budget -= 1
        if readFromCache(request, of: file) { continue }
      }
      guard hot.inFlight.count < configuration.inFlightLimit else { return .queueIsFull }
      guard file.inFlightCount < configuration.inFlightLimitPerFile, keepsOrder(request, file)
      else { return .fileIsFull }
      guard submitFirst(of: file, &budget) else { return .queueIsFull }
    }
    return submitSyncAfterWrites(of: file) ? .finished : .queueIsFull
  }

  /// Whether a request may be submitted while its file's other operations are in flight.
  ///
  /// Appends go one after the other, since the remainder of a short write must precede the next
  /// one. A write also never queues behind a sync that need not cover it: it waits until the writes
  /// before that sync have ended, and then goes to another lane.
  private func keepsOrder(_ request: RequestRef, _ file: AIOFile) -> Bool {
    guard request.pointee.kind == .write, file.writeInFlightCount > 0 else { return true }
    return !file.traits.isAppending
      && !(file.traits.keepsWritesInOrder && file.lanes.hasSyncOnWriteLane)
  }

  /// Submits the first waiting request, and as many of those after it as share its group.
  ///
  /// - Returns: Whether glibc takes more.
  private func submitFirst(of file: AIOFile, _ budget: inout Int) -> Bool {
    guard let request = file.waiting.first else { return true }
    removeFromWaiting(request, of: file)
    batch.removeAll()
    let lane: LaneChoice
    switch request.pointee.kind {
    case .sync, .dataSync:
      return submitDueSync(request, of: file, file.lanes.besideWrites())
    case .write where file.traits.keepsWritesInOrder:
      lane = .one(file.lanes.forOrderedWrite(othersAreInFlight: file.writeInFlightCount > 0))
      fillBatch(file, request, limit: file.traits.isAppending ? 1 : Group.memberLimit)
    default:
      // The signal costs glibc more than the rest of a small read, and is sent under the lock that
      // all its helpers share. Members that end before the last of their group are found as the
      // fronts of their lanes.
      lane = .leastBusy
      fillBatch(file, request, limit: max(1, file.inFlightCount / Self.groupsInFlight))
    }
    budget -= batch.members.count
    return submitBatch(file, lane)
  }

  /// Submits one request of a file that may block forever. It gets a group of its own: the next one
  /// may never end, and would hold back this one's signal.
  ///
  /// - Returns: Whether glibc takes more.
  func submitAlone(_ request: RequestRef, of file: AIOFile, _ lane: Int) -> Bool {
    batch.removeAll()
    if request.pointee.kind.isSync { return submitDueSync(request, of: file, lane) }
    batch.append(request)
    return submitBatch(file, .one(lane))
  }

  /// Adds a request to the batch, and the waiting requests of the same kind after it: up to `limit`
  /// members, and no more than may be in flight.
  private func fillBatch(_ file: AIOFile, _ first: RequestRef, limit: Int) {
    let room = min(
      configuration.inFlightLimit - hot.inFlight.count,
      configuration.inFlightLimitPerFile - file.inFlightCount)
    let limit = min(limit, room, Group.memberLimit)
    var request = first
    while true {
      if request.pointee.kind == .write { mergeFollowers(into: request, of: file) }
      batch.append(request)
      // A merged write ends its batch: it stands for many requests already.
      guard unsafe request.pointee.mergedMemory == nil, batch.members.count < limit,
        let next = file.waiting.first, next.pointee.kind == first.pointee.kind,
        next.pointee.kind == .write || next.missedCache || !file.readsCacheFirst
      else { return }
      removeFromWaiting(next, of: file)
      request = next
    }
  }

  private func prepareTransfer(_ request: RequestRef, _ descriptor: Int32) {
    let opcode = request.pointee.kind == .write ? LIO_WRITE : LIO_READ
    let isMerged = unsafe request.pointee.mergedMemory != nil
    let done = isMerged ? Int(request.pointee.mergedDoneCount) : request.pointee.doneCount
    let total = isMerged ? Int(request.pointee.mergedByteCount) : request.pointee.byteCount
    if unsafe request.pointee.lent != nil { giveOwnMemory(request) }
    let start = unsafe request.pointee.mergedMemory ?? request.pointee.memory?.base
    unsafe caio_prepare(
      request.control, Int32(opcode), descriptor, start.map { unsafe $0 + done }, total - done,
      request.pointee.offset + Int64(done))
  }

  /// Gives a read into the caller's memory memory of its own, for glibc.
  private func giveOwnMemory(_ request: RequestRef) {
    guard request.pointee.memory == nil else { return }
    let byteCount = request.pointee.byteCount
    request.pointee.memory = IOBuffer(capacity: byteCount).moveToRequest()
    hot.heldByteCount += byteCount
  }

  /// Which lanes the members of a batch use.
  enum LaneChoice {
    case one(Int)
    /// For each member, the least busy lane at that moment.
    case leastBusy
  }

  /// Submits the batch as one group with one signal.
  ///
  /// - Returns: Whether glibc takes more.
  func submitBatch(_ file: AIOFile, _ choice: LaneChoice) -> Bool {
    for request in batch.members {
      let lane =
        switch choice {
        case .one(let lane): lane
        case .leastBusy: file.lanes.leastBusy()
        }
      file.lanes.append(request, to: lane)
      if !request.pointee.kind.isSync { prepareTransfer(request, file.lanes.descriptor(lane)) }
    }
    let groupID = groups.open(batch.members)
    hot.counters.groupCount += 1
    do throws(Errno) {
      try unsafe system.submitGroup(batch.controls, signal: signal.number, value: groupID.rawValue)
    } catch {
      return handlePartialSubmission(file, error)
    }
    for request in batch.members {
      addToInFlight(request, of: file)
    }
    return true
  }

  /// Sorts the members after `lio_listio(3)` failed: some may run all the same, and their signal
  /// may or may not come.
  private func handlePartialSubmission(_ file: AIOFile, _ error: Errno) -> Bool {
    var refused = RequestList()
    for request in batch.members {
      if unsafe request.pointee.kind.isSync || system.wasAccepted(request.control) {
        addToInFlight(request, of: file)
      } else {
        groups.leave(request)
        file.lanes.remove(request)
        refused.append(request)
      }
    }
    var takesMore = true
    while let request = refused.popLast() {
      takesMore = refuse(request, of: file, error) && takesMore
    }
    return takesMore
  }

  /// Handles a request that glibc refused because memory or its first helper thread was missing.
  /// The request waits for an operation in flight to end; if there is none, it fails.
  ///
  /// - Returns: Whether to go on submitting.
  func refuse(_ request: RequestRef, of file: AIOFile, _ error: Errno) -> Bool {
    if request.pointee.kind == .syncMarker {
      discardSyncMarker(request)
      return true
    }
    guard hot.inFlight.isEmpty else {
      addToWaitingFront(request, of: file)
      return false
    }
    setOutcome(request, error.rawValue, isCancellation: true)
    if request.pointee.kind.isSync {
      finishSync(request, of: file)
    } else if unsafe request.pointee.mergedMemory != nil {
      endMerged(request, of: file)
    } else {
      finish(request)
    }
    return true
  }
}
