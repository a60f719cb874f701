internal import CPosixAIO
internal import Glibc
internal import SystemPackage

/// The way into glibc.
extension CompletionQueue {
  /// What a file's turn ended with.
  enum Turn {
    /// Nothing waits any more.
    case finished
    /// Its share of the round is used up.
    case another
    /// It may have no more in flight; what comes back makes it ready again.
    case fileIsFull
    /// Nothing may be handed over now.
    case queueIsFull
  }

  /// Requests that one file hands over before the next file has its turn.
  private static let requestsPerTurn = 64

  /// Into so many groups the operations of a file are divided that run beside each other: the more
  /// there are in flight, the more of them share a signal. Fewer groups would let a slow operation
  /// keep the news of many others.
  private static let groupsInFlight = 8

  /// Hands over as much of what waits as may be in flight.
  func handOver(_ cachedReadBudget: inout Int) {
    var isBlocked = false
    while !isBlocked, let file = books.ready.popFirst() {
      switch serve(file, &cachedReadBudget) {
      case .finished, .fileIsFull:
        file.isReady = false
        if file.traits.isStream { passOnPlaces(of: file) }
      case .another:
        books.ready.append(file)
        isBlocked = cachedReadBudget == 0
      case .queueIsFull:
        books.ready.append(file)
        isBlocked = true
      }
    }
  }

  private func serve(_ file: AIOFile, _ cachedReadBudget: inout Int) -> Turn {
    if file.traits.isStream { return serveStream(file) }
    var share = Self.requestsPerTurn
    while let request = file.waiting.first {
      guard share > 0 else { return .another }
      if request.pointee.kind == .read, file.readsCacheFirst, !request.isCold {
        guard cachedReadBudget > 0 else { return .another }
        cachedReadBudget -= 1
        share -= 1
        if readFromCache(request, of: file) { continue }
      }
      guard books.inFlight.count < configuration.inFlightLimit else { return .queueIsFull }
      guard file.inFlightCount < configuration.inFlightLimitPerFile, keepsOrder(request, file)
      else { return .fileIsFull }
      guard handOverFirst(of: file, &share) else { return .queueIsFull }
    }
    return handOverSyncBehindWrites(of: file) ? .finished : .queueIsFull
  }

  /// Whether a request may be handed over before what is in flight has ended. What is appended goes
  /// one after the other, since the rest of a short write must come before the next. And no write
  /// goes behind a sync that it need not wait for: as soon as those before that have ended, it goes
  /// elsewhere.
  private func keepsOrder(_ request: RequestRef, _ file: AIOFile) -> Bool {
    guard request.pointee.kind == .write, file.writeInFlightCount > 0 else { return true }
    return !file.traits.isAppending
      && !(file.traits.keepsWritesInOrder && file.lanes.hasSyncBehindWrites)
  }

  /// Hands over the first of what waits, and what goes well with it.
  ///
  /// - Returns: Whether glibc takes more.
  private func handOverFirst(of file: AIOFile, _ share: inout Int) -> Bool {
    guard let request = file.waiting.first else { return true }
    takeWaiting(request, of: file)
    batch.removeAll()
    let lane: LaneChoice
    switch request.pointee.kind {
    case .sync, .dataSync:
      return handOverSync(request, of: file, file.lanes.besideWrites())
    case .write where file.traits.keepsWritesInOrder:
      lane = .one(file.lanes.forOrderedWrite(othersAreInFlight: file.writeInFlightCount > 0))
      // What is appended waits for the end of what is before it.
      fillBatch(file, request, limit: file.traits.isAppending ? 1 : Group.memberLimit)
    default:
      // The signal costs glibc more than the rest of a small read, and is sent under the lock that
      // its helpers share. What is done before the last of its group is found in front of its lane.
      lane = .leastBusy
      fillBatch(file, request, limit: max(1, file.inFlightCount / Self.groupsInFlight))
    }
    share -= batch.members.count
    return submitBatch(file, lane)
  }

  /// Hands over a request of a stream. Each goes alone: the next may block for ever, and would keep
  /// the signal from this one.
  ///
  /// - Returns: Whether glibc takes more.
  func submitAlone(_ request: RequestRef, of file: AIOFile, _ lane: Int) -> Bool {
    batch.removeAll()
    if request.pointee.kind.isSync { return handOverSync(request, of: file, lane) }
    batch.append(request)
    return submitBatch(file, .one(lane))
  }

  /// Adds a request and those behind it that may share its hand-over: of the same kind, up to
  /// `limit`, and no more than may be in flight.
  private func fillBatch(_ file: AIOFile, _ first: RequestRef, limit: Int) {
    let room = min(
      configuration.inFlightLimit - books.inFlight.count,
      configuration.inFlightLimitPerFile - file.inFlightCount)
    let limit = min(limit, room, Group.memberLimit)
    var request = first
    while true {
      if request.pointee.kind == .write { mergeFollowers(into: request, of: file) }
      batch.append(request)
      // A merged write has a signal of its own: it is many requests by itself.
      guard unsafe request.pointee.mergedMemory == nil, batch.members.count < limit,
        let next = file.waiting.first, next.pointee.kind == first.pointee.kind,
        next.pointee.kind == .write || next.isCold || !file.readsCacheFirst
      else { return }
      takeWaiting(next, of: file)
      request = next
    }
  }

  private func prepareTransfer(_ request: RequestRef, _ descriptor: Int32) {
    let opcode = request.pointee.kind == .write ? LIO_WRITE : LIO_READ
    let isMerged = unsafe request.pointee.mergedMemory != nil
    let done = isMerged ? Int(request.pointee.mergedDoneCount) : request.pointee.doneCount
    let total = isMerged ? Int(request.pointee.mergedByteCount) : request.pointee.byteCount
    let start = unsafe request.pointee.mergedMemory ?? request.pointee.memory?.baseAddress
    unsafe caio_prepare(
      request.control, Int32(opcode), descriptor, start.map { unsafe $0 + done }, total - done,
      request.pointee.offset + Int64(done))
  }

  /// Hands a sync that is due over.
  private func handOverSync(_ sync: RequestRef, of file: AIOFile, _ lane: Int) -> Bool {
    guard file.failureNumber == 0 else {
      setOutcome(sync, file.failureNumber, isCancellation: false)
      finishSync(sync, of: file)
      return true
    }
    do throws(Errno) {
      try submitSync(sync, of: file, lane)
    } catch {
      return refuse(sync, of: file, error)
    }
    return submitDoorbell(behind: sync, of: file, lane)
  }

  /// Hands the syncs that wait for writes over when all of those are with glibc, on their lane and
  /// thus behind them: the helper goes from the last write to the sync, and nobody wakes up in
  /// between. Should a write come back short, the sync waits again for its rest.
  ///
  /// - Returns: Whether glibc takes more.
  private func handOverSyncBehindWrites(of file: AIOFile) -> Bool {
    guard file.writeInFlightCount > 0, file.traits.keepsWritesInOrder,
      file.failureNumber == 0, books.inFlight.count < configuration.inFlightLimit,
      file.inFlightCount < configuration.inFlightLimitPerFile,
      let sync = file.barrier.takeBehindWrites()
    else { return true }
    takeParked(sync)
    batch.removeAll()
    let lane = file.lanes.writeLane
    do throws(Errno) {
      try submitSync(sync, of: file, lane)
    } catch {
      // Tried again when the writes have ended.
      file.barrier.syncEnded()
      putParked(sync)
      file.barrier.parkAgain(sync)
      file.barrier.parkAgainWhatWaitsForWrites()
      return true
    }
    return submitDoorbell(behind: sync, of: file, lane)
  }

  private func submitSync(_ sync: RequestRef, of file: AIOFile, _ lane: Int) throws(Errno) {
    let descriptor = file.lanes.descriptor(lane)
    unsafe caio_prepare(sync.control, Int32(LIO_NOP), descriptor, nil, 0, 0)
    let dataOnly = file.barrier.isDataEnough(for: sync)
    try unsafe system.submitSync(sync.control, dataOnly: dataOnly)
    while let served = file.barrier.takeLastDue() {
      takeParked(served)
      putJoined(served)
      served.pointee.companion = sync.pointee.companion
      sync.pointee.companion = served
    }
  }

  /// Puts an empty read behind a sync on the same descriptor: glibc runs them one after the other,
  /// so the doorbell's signal says that the sync is done. Should it ever come early, the backstop
  /// finds the sync.
  private func submitDoorbell(behind sync: RequestRef, of file: AIOFile, _ lane: Int) -> Bool {
    batch.appendStarted(sync)
    batch.append(takeDoorbell(file))
    return submitBatch(file, .one(lane))
  }

  /// As ``submitDoorbell(behind:of:_:)``, for a sync whose doorbell was cancelled. Should it not be
  /// taken, the backstop finds the sync.
  func submitDoorbellAgain(behind sync: RequestRef, of file: AIOFile) {
    batch.removeAll()
    batch.append(takeDoorbell(file))
    _ = submitBatch(file, .one(Int(sync.pointee.lane)))
  }

  private func takeDoorbell(_ file: AIOFile) -> RequestRef {
    let doorbell = pool.take()
    doorbell.pointee.kind = .doorbell
    doorbell.pointee.byteCount = 0
    doorbell.pointee.offset = 0
    admit(doorbell, of: file)
    return doorbell
  }

  /// Where the members of a batch go.
  private enum LaneChoice {
    case one(Int)
    /// Each to the lane that has the least to do then.
    case leastBusy
  }

  private func submitBatch(_ file: AIOFile, _ choice: LaneChoice) -> Bool {
    for request in batch.members {
      let lane =
        switch choice {
        case .one(let lane): lane
        case .leastBusy: file.lanes.leastBusy()
        }
      file.lanes.append(request, to: lane)
      if !request.pointee.kind.isSync { prepareTransfer(request, file.lanes.descriptor(lane)) }
    }
    let ticket = groups.open(batch.members)
    books.counters.groupCount += 1
    do throws(Errno) {
      try unsafe system.submitGroup(batch.controls, signal: signal.number, ticket: ticket.rawValue)
    } catch {
      return settlePartialSubmission(file, error)
    }
    for request in batch.members {
      putInFlight(request, of: file)
    }
    return true
  }

  /// After `lio_listio(3)` failed: some members may run, and their signal may or may not come.
  private func settlePartialSubmission(_ file: AIOFile, _ error: Errno) -> Bool {
    var refused = RequestList()
    for request in batch.members {
      if unsafe request.pointee.kind.isSync || system.wasTaken(request.control) {
        putInFlight(request, of: file)
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

  /// glibc did not take a request: for want of memory, or of its first helper thread. With others
  /// in flight it waits for their end; with none there is no end to wait for, and it fails.
  ///
  /// - Returns: Whether to go on.
  private func refuse(_ request: RequestRef, of file: AIOFile, _ error: Errno) -> Bool {
    if request.pointee.kind == .doorbell {
      dropDoorbell(request)
      return true
    }
    guard books.inFlight.isEmpty else {
      putWaitingFirst(request, of: file)
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
