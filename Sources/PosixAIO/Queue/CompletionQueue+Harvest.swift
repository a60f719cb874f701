internal import Glibc
internal import SystemPackage

/// The way out of glibc: from a signal to the list of finished requests.
extension CompletionQueue {
  /// Looks at the groups that were announced, and at everything in flight when the backstop is due
  /// or an announcement was dropped.
  func collect() {
    let arrived = signal.collect { ticket in
      groups.forEachMember(of: GroupTicket(rawValue: ticket)) { member in
        _ = harvest(member)
      }
    }
    counters.signals += UInt64(arrived.count)
    let isDue = backstop.isDue()
    guard isDue || arrived.overflowed else { return }
    let rescuedCount = lookAtEverythingInFlight()
    counters.rescued += UInt64(rescuedCount)
    if isDue { backstop.looked(foundLostOnes: rescuedCount > 0) }
    if !inFlight.isEmpty { backstop.armIfNeeded() }
  }

  private func lookAtEverythingInFlight() -> Int {
    var rescuedCount = 0
    var next = inFlight.first
    while let request = next {
      next = request.pointee.next
      if harvest(request) { rescuedCount += 1 }
    }
    return rescuedCount
  }

  /// Takes a request back from glibc if that is done with it.
  private func harvest(_ request: RequestRef) -> Bool {
    let error = unsafe system.error(of: request.control)
    guard error != EINPROGRESS else { return false }
    let result = unsafe system.result(of: request.control)
    inFlight.remove(request)
    groups.leave(request.pointee.ticket)
    request.pointee.ticket = .none

    if request.pointee.kind == .doorbell {
      dropDoorbell(request)
      return true
    }
    request.pointee.errorNumber = error
    if error == 0, request.pointee.kind.isTransfer {
      request.pointee.doneCount += result
      if isShortWrite(request, result) {
        wait(request)
        return true
      }
    }
    finish(request)
    return true
  }

  /// A write goes on until it is whole or fails: a disk that fills up then says so. One that moves
  /// nothing and does not fail would go on for ever, so that counts as an IO error.
  private func isShortWrite(_ request: RequestRef, _ result: Int) -> Bool {
    guard request.pointee.kind == .write,
      request.pointee.doneCount < request.pointee.byteCount
    else { return false }
    if result > 0 { return true }
    request.pointee.errorNumber = EIO
    return false
  }

  /// Closes a request's books; its handler is called by `drain`.
  func finish(_ request: RequestRef) {
    request.pointee.state = .finished
    finished.append(request)
    if finished.count == 1 { wake() }
    guard request.pointee.kind == .write else { return }
    let epoch = request.pointee.epoch
    request.pointee.file?.barrier.writeFinished(epoch: epoch) { sync in
      wait(sync)
    }
  }

  func dropDoorbell(_ doorbell: RequestRef) {
    let file = doorbell.pointee.file
    doorbellCount -= 1
    pool.put(doorbell)
    file?.requestEnded()
  }
}
