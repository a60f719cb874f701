internal import CPosixAIO
internal import Glibc
internal import SystemPackage

/// Step 3 of a request: after a signal, the queue asks glibc for the result, and the request goes
/// to the list of finished ones.
extension CompletionQueue {
  /// Reaps the announced groups, expires deadlines, and reaps everything in flight when the
  /// backstop is due or an announcement was dropped.
  ///
  /// Deadlines and the backstop go by the clock. Where the loop reads the sources, the backstop
  /// also waits for ``LookSteps``.
  func collect(_ sources: SourceCheck) {
    let overflowed = sources == .polls && readSources()
    let mayLook = sources != .readByLoop || lookSteps.takeDue()
    let isDue = mayLook && backstop.takeDue(now: hot.now)
    if (isDue || overflowed) && !hot.inFlight.isEmpty {
      let rescuedCount = reapEverything()
      hot.counters.rescuedCount += UInt64(rescuedCount)
      if isDue { backstop.looked(foundLostOnes: rescuedCount > 0) }
    }
    expireDeadlines()
  }

  /// Reads the descriptors that the kernel reports as readable, and no others.
  ///
  /// - Returns: Whether announcements were dropped.
  private func readSources() -> Bool {
    let sources = system.readableSources(descriptor.rawValue)
    if sources.contains(.timer) {
      timer.clear()
      // The timer may have expired after `now` was taken; update it, so that what is due is found.
      hot.now = system.now()
    }
    let arrived = signal.collect(sources, reapAnnounced)
    hot.counters.signalCount += UInt64(arrived.count)
    return arrived.overflowed
  }

  /// - Parameter value: As it came with a signal.
  func reapAnnounced(_ value: UInt64) {
    let groupID = GroupID(rawValue: value)
    let file = groups.first(of: groupID)?.pointee.file
    // Reads of a pipe complete in the order of their data, even if a signal through the pipe and
    // one through the signalfd overtake each other.
    if let file, file.traits.mayBlockForever { reapFronts(of: file) }
    var member = groups.first(of: groupID)
    while let request = member {
      member = request.pointee.nextInGroup
      _ = reap(request)
    }
    if let file { reapFronts(of: file) }
  }

  /// Reaps operations that ended before their group did: at most one check per lane more than there
  /// are such operations. Syncs are left out, since they end with their marker.
  private func reapFronts(of file: AIOFile) {
    for lane in 0..<file.lanes.count {
      while let front = file.lanes.front(of: lane), !front.pointee.kind.isSync, reap(front) {}
    }
  }

  /// Checks every operation in flight.
  ///
  /// - Returns: The number of operations that had ended.
  func reapEverything() -> Int {
    retryDescriptors()
    var rescuedCount = 0
    var next = hot.inFlight.first
    while let request = next {
      next = request.pointee.next
      if reap(request) { rescuedCount += 1 }
    }
    return rescuedCount
  }

  /// Takes the result of a request from glibc, if its operation has ended.
  ///
  /// - Returns: Whether it has.
  func reap(_ request: RequestRef) -> Bool {
    let error = unsafe system.error(of: request.control)
    guard error != EINPROGRESS else { return false }
    let result = unsafe system.result(of: request.control)
    // In flight, a request has its file.
    guard let file = request.pointee.file else { return true }
    if request.pointee.kind.isSync || request.pointee.kind == .syncMarker
      || file.traits.mayBlockForever
    {
      reapFronts(before: request, of: file)
    }
    leftGlibc(request, of: file)

    let isCancellation = error == ECANCELED
    setOutcome(
      request, isCancellation ? request.pointee.cancelNumber : error,
      isCancellation: isCancellation)
    switch request.pointee.kind {
    case .syncMarker: discardSyncMarker(request)
    case .sync, .dataSync: finishSync(request, of: file)
    case .write: writeReturned(request, of: file, moved: error == 0 ? result : 0)
    case .read: readReturned(request, of: file, moved: error == 0 ? result : 0)
    case .detach: break
    }
    return true
  }

  /// Reaps the operations before a request on its lane, whose signals may be late. The outcome of a
  /// sync depends on the writes before it; a resubmitted sync marker is not in its sync's group;
  /// and reads of a pipe complete in order.
  private func reapFronts(before request: RequestRef, of file: AIOFile) {
    while let front = file.lanes.front(of: Int(request.pointee.lane)), !(front == request),
      reap(front)
    {}
  }

  /// Reaps every ended operation of a lane, wherever it is in the lane's order.
  func reapAll(on lane: Int, of file: AIOFile) {
    var next = file.lanes.front(of: lane)
    while let request = next {
      // Reaping a request can also reap those before it, never those after it.
      next = request.pointee.nextOnLane
      _ = reap(request)
    }
  }

  /// Removes an operation from the counts and wakes whoever waited for its slot.
  private func leftGlibc(_ request: RequestRef, of file: AIOFile) {
    removeFromInFlight(request, of: file)
    if request.pointee.kind != .syncMarker { recordMetrics(of: request) }
    if file.hasWaiting { makeReady(file) }
    if file.traits.mayBlockForever { passOnPlaces(of: file) }
  }

  private func recordMetrics(of request: RequestRef) {
    let waiting = request.pointee.submittedAt &- request.pointee.enqueuedAt
    let service = hot.now &- request.pointee.submittedAt
    hot.counters.waitingTimes.record(waiting)
    hot.counters.serviceTimes.record(service)
    if observer != nil {
      hot.observations.append(
        Observation(operation: request.operation, waiting: waiting, service: service))
    }
  }

  /// A read that moved at least this many bytes was cut short by the kernel, not by the end of the
  /// file: one call moves at most 2 GiB less one page, and pages have several sizes.
  private static let leastTruncatedByteCount = 0x7FFF_0000

  private func readReturned(_ request: RequestRef, of file: AIOFile, moved: Int) {
    request.pointee.doneCount += moved
    guard moved >= Self.leastTruncatedByteCount,
      request.pointee.doneCount < request.pointee.byteCount, !file.traits.mayBlockForever,
      !request.isAbandoned, stage == .open
    else { return finish(request) }
    addToWaitingFront(request, of: file)
    makeReady(file)
  }

  /// Continues a short write until it is complete or fails, so that a full disk is reported as
  /// such. A write that moves nothing without an error would never end; it fails with `EIO`.
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
        addToWaitingFront(request, of: file)
        return makeReady(file)
      }
      // An abandoned write does not continue: the file keeps what was written so far.
      let isStopped = moved > 0 && (request.isAbandoned || stage != .open)
      setOutcome(request, isStopped ? ECANCELED : EIO, isCancellation: isStopped)
    }
    if isMerged { endMerged(request, of: file) } else { finish(request) }
  }
}
