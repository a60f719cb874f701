internal import CPosixAIO
internal import Glibc
internal import SystemPackage

/// Acceptance, and the way into glibc.
extension CompletionQueue {
  /// Takes a request in. It is handed over at the end of this turn, with the others of the turn.
  ///
  /// - Throws: `EAGAIN` when ``Configuration/waitingLimit`` requests wait already. Nothing is
  ///   started.
  func accept(_ fill: (inout Request) -> Void) throws(Errno) {
    guard remainingCapacity > 0 else { throw .resourceTemporarilyUnavailable }
    acceptAlways(fill)
  }

  /// As ``accept(_:)``, for what may not be refused.
  func acceptAlways(_ fill: (inout Request) -> Void) {
    let request = pool.take()
    fill(&request.pointee)
    enqueue(request)
  }

  private func enqueue(_ request: RequestRef) {
    guard let file = request.pointee.file else {
      preconditionFailure("CompletionQueue: a request names its file")
    }
    unfinishedCount += 1
    file.unfinishedCount += 1
    switch request.pointee.kind {
    case .write:
      request.pointee.epoch = file.barrier.writeAccepted()
    case .sync, .dataSync:
      guard file.barrier.syncMayStart(request) else {
        request.pointee.state = .parked
        return
      }
    case .detach:
      request.pointee.state = .parked
      return file.park(detach: request)
    case .read, .doorbell:
      break
    }
    wait(request)
    if waiting.count == 1 { wake() }
  }

  /// Puts a request behind all that wait.
  func wait(_ request: RequestRef) {
    request.pointee.state = .waiting
    waiting.append(request)
  }

  /// Hands over as much of what waits as may be in flight.
  func handOver() {
    while !waiting.isEmpty, inFlight.count < configuration.inFlightLimit {
      guard handOverOneGroup() else { break }
    }
    // Also for what still waits after a refusal: the timer tries again.
    if !inFlight.isEmpty { backstop.armIfNeeded() }
  }

  /// - Returns: Whether it makes sense to go on.
  private func handOverOneGroup() -> Bool {
    batch.removeAll()
    let room = min(Group.memberLimit, configuration.inFlightLimit - inFlight.count)
    while batch.members.count < room, let request = waiting.first {
      guard !request.pointee.kind.isSync else {
        if batch.members.count > 0 { break }
        waiting.remove(request)
        return handOverSync(request)
      }
      waiting.remove(request)
      prepareTransfer(request)
      batch.append(request)
    }
    return submitBatch()
  }

  private func prepareTransfer(_ request: RequestRef) {
    let opcode = request.pointee.kind == .write ? LIO_WRITE : LIO_READ
    let done = request.pointee.doneCount
    unsafe caio_prepare(
      request.control, Int32(opcode), request.descriptor,
      request.pointee.memory?.baseAddress.map { unsafe $0 + done },
      request.pointee.byteCount - done, request.pointee.offset + Int64(done))
  }

  /// Hands a sync over, and behind it a doorbell on the same descriptor: glibc runs them one after
  /// the other, so the doorbell's signal says that the sync is done. Should it ever come early, the
  /// backstop finds the sync.
  private func handOverSync(_ sync: RequestRef) -> Bool {
    unsafe caio_prepare(sync.control, Int32(LIO_NOP), sync.descriptor, nil, 0, 0)
    do throws(Errno) {
      try unsafe system.submitSync(
        sync.control, dataOnly: sync.pointee.kind == .dataSync)
    } catch {
      refuse(sync, error)
      return inFlight.isEmpty
    }
    let doorbell = pool.take()
    doorbell.pointee.kind = .doorbell
    doorbell.pointee.file = sync.pointee.file
    doorbell.pointee.file?.unfinishedCount += 1
    doorbellCount += 1
    prepareTransfer(doorbell)
    batch.appendStarted(sync)
    batch.append(doorbell)
    return submitBatch()
  }

  private func submitBatch() -> Bool {
    let ticket = groups.open(batch.members)
    counters.groups += 1
    do throws(Errno) {
      try unsafe system.submitGroup(batch.controls, signal: signal.number, ticket: ticket.rawValue)
    } catch {
      settlePartialSubmission(ticket, error)
      return inFlight.isEmpty
    }
    for request in batch.members {
      started(request, ticket)
    }
    return true
  }

  private func started(_ request: RequestRef, _ ticket: GroupTicket) {
    request.pointee.state = .inFlight
    request.pointee.ticket = ticket
    inFlight.append(request)
  }

  /// After `lio_listio(3)` failed: some members may run, and their signal may or may not come.
  private func settlePartialSubmission(_ ticket: GroupTicket, _ error: Errno) {
    var refused = RequestList()
    for request in batch.members {
      if unsafe request.pointee.kind.isSync || system.wasTaken(request.control) {
        started(request, ticket)
      } else {
        groups.leave(ticket)
        refused.append(request)
      }
    }
    while let request = refused.popLast() {
      refuse(request, error)
    }
  }

  /// glibc did not take a request: for want of memory, or of its first helper thread. With others
  /// in flight it waits for their end; with none there is no end to wait for, and it fails.
  private func refuse(_ request: RequestRef, _ error: Errno) {
    if request.pointee.kind == .doorbell {
      dropDoorbell(request)
    } else if inFlight.isEmpty {
      request.pointee.errorNumber = error.rawValue
      finish(request)
    } else {
      request.pointee.state = .waiting
      waiting.prepend(request)
    }
  }
}
