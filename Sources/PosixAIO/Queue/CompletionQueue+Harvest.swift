internal import CPosixAIO
internal import Glibc
internal import SystemPackage

/// The way out of glibc: from a signal to the list of finished requests.
extension CompletionQueue {
  /// Looks at the groups that were announced, at what is past its deadline, and at everything in
  /// flight when the backstop is due or an announcement was dropped.
  ///
  /// - Parameter looks: Whether to ask the kernel what is readable. What is due by the clock is due
  ///   either way.
  func collect(looks: Bool) {
    let overflowed = looks && readSources()
    let isDue = backstop.takeDue(now: books.now)
    if (isDue || overflowed) && !books.inFlight.isEmpty {
      let rescuedCount = lookAtEverythingInFlight()
      books.counters.rescuedCount += UInt64(rescuedCount)
      if isDue { backstop.looked(foundLostOnes: rescuedCount > 0) }
    }
    expireDeadlines()
  }

  /// Reads what the kernel says is readable, and nothing else.
  ///
  /// - Returns: Whether announcements were dropped.
  private func readSources() -> Bool {
    let sources = system.readableSources(descriptor.rawValue)
    if sources.contains(.timer) {
      timer.clear()
      // The timer may have run out after the turn began; by now, what it was armed for is due.
      books.now = system.now()
    }
    let arrived = signal.collect(sources) { ticket in
      harvestGroup(GroupTicket(rawValue: ticket))
    }
    books.counters.signalCount += UInt64(arrived.count)
    return arrived.overflowed
  }

  private func harvestGroup(_ ticket: GroupTicket) {
    let file = groups.first(of: ticket)?.pointee.file
    // Handlers of a stream are called in the order of its data, though signals that arrive on two
    // ways may overtake each other.
    if let file, file.traits.isStream { harvestFronts(of: file) }
    var member = groups.first(of: ticket)
    while let request = member {
      member = request.pointee.nextInGroup
      _ = harvest(request)
    }
    if let file { harvestFronts(of: file) }
  }

  /// Takes back what has ended although its group has not: on each lane at most one look more than
  /// there are such. Not syncs, which end with their doorbell.
  private func harvestFronts(of file: AIOFile) {
    for lane in 0..<file.lanes.count {
      while let front = file.lanes.front(of: lane), !front.pointee.kind.isSync, harvest(front) {}
    }
  }

  func lookAtEverythingInFlight() -> Int {
    retryDescriptors()
    var rescuedCount = 0
    var next = books.inFlight.first
    while let request = next {
      next = request.pointee.next
      if harvest(request) { rescuedCount += 1 }
    }
    return rescuedCount
  }

  /// Takes a request back from glibc if that is done with it.
  func harvest(_ request: RequestRef) -> Bool {
    let error = unsafe system.error(of: request.control)
    guard error != EINPROGRESS else { return false }
    let result = unsafe system.result(of: request.control)
    // In flight, a request has its file.
    guard let file = request.pointee.file else { return true }
    if request.pointee.kind.isSync || request.pointee.kind == .doorbell || file.traits.isStream {
      harvestFronts(before: request, of: file)
    }
    ended(request, of: file)

    let isCancellation = error == ECANCELED
    setOutcome(
      request, isCancellation ? request.pointee.cancelNumber : error,
      isCancellation: isCancellation)
    switch request.pointee.kind {
    case .doorbell: dropDoorbell(request)
    case .sync, .dataSync: finishSync(request, of: file)
    case .write: writeReturned(request, of: file, moved: error == 0 ? result : 0)
    case .read: readReturned(request, of: file, moved: error == 0 ? result : 0)
    case .detach: break
    }
    return true
  }

  /// Takes back what stands before a request on its lane, should its signal be late. Whether a sync
  /// is worth anything depends on the writes before it; a doorbell that was submitted again is not
  /// in the group of its sync; and the handlers of a stream's reads are called in order.
  private func harvestFronts(before request: RequestRef, of file: AIOFile) {
    while let front = file.lanes.front(of: Int(request.pointee.lane)), !(front == request),
      harvest(front)
    {}
  }

  /// Takes back what has ended on a lane, wherever it stands there.
  func harvestAll(on lane: Int, of file: AIOFile) {
    var next = file.lanes.front(of: lane)
    while let request = next {
      // Only what stands before a request is harvested with it.
      next = request.pointee.nextOnLane
      _ = harvest(request)
    }
  }

  /// Counts an operation out, and lets those have their turn who waited for that.
  private func ended(_ request: RequestRef, of file: AIOFile) {
    takeInFlight(request, of: file)
    if request.pointee.kind != .doorbell { record(request) }
    if file.hasWaiting { makeReady(file) }
    if file.traits.isStream { passOnPlaces(of: file) }
  }

  private func record(_ request: RequestRef) {
    let waiting = request.pointee.handedOverAt &- request.pointee.acceptedAt
    let service = books.now &- request.pointee.handedOverAt
    books.counters.waitingTimes.record(waiting)
    books.counters.serviceTimes.record(service)
    if observer != nil {
      books.observations.append(
        Observation(operation: request.operation, waiting: waiting, service: service))
    }
  }

  /// The kernel moves at most 2 GiB less a page by one call, whatever the size of its pages is. So
  /// a read that got so much is not over.
  private static let leastTruncatedByteCount = 0x7FFF_0000

  private func readReturned(_ request: RequestRef, of file: AIOFile, moved: Int) {
    request.pointee.doneCount += moved
    guard moved >= Self.leastTruncatedByteCount,
      request.pointee.doneCount < request.pointee.byteCount, !file.traits.isStream,
      !request.isAbandoned, stage == .open
    else { return finish(request) }
    putWaitingFirst(request, of: file)
    makeReady(file)
  }

  /// A write goes on until it is whole or fails: a disk that fills up then says so. One that moves
  /// nothing and does not fail would go on for ever, so that counts as an IO error.
  private func writeReturned(_ request: RequestRef, of file: AIOFile, moved: Int) {
    let isMerged = unsafe request.pointee.mergedMemory != nil
    let done: Int
    let total: Int
    if isMerged {
      request.pointee.mergedDoneCount += Int32(moved)
      done = Int(request.pointee.mergedDoneCount)
      total = Int(request.pointee.mergedByteCount)
    } else {
      request.pointee.doneCount += moved
      (done, total) = (request.pointee.doneCount, request.pointee.byteCount)
    }
    if request.pointee.errorNumber == 0, done < total {
      if moved > 0, stage == .open, !request.isAbandoned || isMerged {
        file.barrier.writeCameBackShort(epoch: request.pointee.epoch)
        putWaitingFirst(request, of: file)
        return makeReady(file)
      }
      // What was abandoned does not go on: it stays as far as it got.
      let isStopped = moved > 0 && (request.isAbandoned || stage != .open)
      setOutcome(request, isStopped ? ECANCELED : EIO, isCancellation: isStopped)
    }
    if isMerged { endMerged(request, of: file) } else { finish(request) }
  }

  /// Ends a sync and those that it served.
  func finishSync(_ leader: RequestRef, of file: AIOFile) {
    let errorNumber = leader.pointee.errorNumber
    let wasCanceled = leader.wasCanceled
    if errorNumber != 0, !wasCanceled, file.failureNumber == 0 {
      file.failureNumber = errorNumber
    }
    file.barrier.syncEnded()
    var member: RequestRef? = leader
    while let sync = member {
      member = sync.pointee.companion
      sync.pointee.companion = nil
      if !(sync == leader) {
        takeJoined(sync)
        books.counters.mergedSyncCount += 1
      }
      setOutcome(sync, errorNumber, isCancellation: wasCanceled)
      endServed(sync, of: file)
    }
    deferNextSync(file)
  }

  /// Ends a sync that ran, or one that it served, unless it ran too early for that: behind writes
  /// one of which came back short or with an error.
  private func endServed(_ sync: RequestRef, of file: AIOFile) {
    if sync.pointee.errorNumber == 0 {
      switch file.barrier.outcome(of: sync) {
      case .kept: break
      case .isEarly where sync.isAbandoned: break
      case .isEarly:
        putParked(sync)
        return file.barrier.parkAgain(sync)
      case .isBroken: setOutcome(sync, file.failureNumber, isCancellation: false)
      }
    }
    finish(sync)
  }

  func dropDoorbell(_ doorbell: RequestRef) {
    let file = doorbell.pointee.file.take()
    free(doorbell)
    file?.requestEnded()
  }
}
