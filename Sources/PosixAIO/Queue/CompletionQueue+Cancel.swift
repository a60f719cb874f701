internal import CPosixAIO
internal import Glibc
internal import SystemPackage

/// Cancellation and deadlines.
extension CompletionQueue {
  /// The answer to an attempt to cancel.
  public enum CancelStatus: Equatable, Sendable {
    /// It will not run. Its handler gets `ECANCELED`; a write may have been begun, and the error
    /// tells how many of its bytes are in the file.
    case canceled
    /// It runs and goes on, but its handler gets `ECANCELED` now; see
    /// ``CompletionQueue/cancel(_:abandoning:)``.
    case abandoned
    /// It runs and goes on, and its handler gets its own result.
    case notCanceled
    /// Its handler was called before, or its result is there and on the way.
    case allDone
  }

  /// Asks for a request not to run. In any case its handler is called once, by ``drain(limit:)``.
  ///
  /// What has not been handed to glibc is cancelled for certain. What has, is by `aio_cancel(3)`
  /// where that is safe: where nothing stands behind it on its descriptor. A request that runs
  /// cannot be stopped.
  ///
  /// - Parameters:
  ///   - id: The request, as its method named it. One of another queue is ``CancelStatus/allDone``.
  ///   - abandoning: Whether the handler of a request that runs is to be called at once, with
  ///     `ECANCELED` and an empty buffer of capacity 0. The memory stays alive until the kernel is
  ///     done with it and is then freed; what a write does to the file is then unknown.
  /// - Returns: What becomes of the request; `allDone` for one of another queue.
  @discardableResult
  public func cancel(_ id: RequestID, abandoning: Bool = false) -> CancelStatus {
    guard id.queue == number, let request = pool.slot(id.index), request.pointee.use == id.use,
      !request.isAbandoned
    else { return .allDone }
    return cancel(request, ECANCELED, abandoning: abandoning)
  }

  /// Asks for nothing of a file to run that does not run yet. Wraps `aio_cancel(3)` without a
  /// control block for what glibc has.
  ///
  /// What is cancelled is completed by the next ``drain(limit:)``. A sync that runs goes on.
  ///
  /// - Parameter file: One of this queue; another one's traps.
  public func cancelAll(of file: AIOFile) {
    require(file.queue === self, "CompletionQueue: cancelAll(of:) takes a file of this queue")
    guard stage != .retired else { return }
    cancelInGlibc(allOf: file)
    while let request = file.waiting.first ?? file.waitingOutput.first {
      if unsafe request.pointee.mergedMemory != nil {
        separate(request, of: file)
      } else {
        cancel(request, ECANCELED, abandoning: false)
      }
    }
    file.barrier.forEachParked { sync in
      file.barrier.remove(sync)
      takeParked(sync)
      end(sync, ECANCELED)
    }
  }

  /// Cancels what glibc has of a file and does not run, and takes back what has ended by that. A
  /// sync that runs goes on; where its doorbell was behind it, it gets another one.
  private func cancelInGlibc(allOf file: AIOFile) {
    for lane in 0..<file.lanes.count {
      harvestAll(on: lane, of: file)
      guard file.lanes.front(of: lane) != nil else { continue }
      // What was cancelled has ended; what was not goes on.
      _ = try? unsafe system.cancel(file.lanes.descriptor(lane), nil)
      harvestAll(on: lane, of: file)
    }
    if let sync = file.lanes.syncWithoutDoorbell { submitDoorbellAgain(behind: sync, of: file) }
  }

  /// Has the handlers of all unfinished requests called by the next drains, with `ECANCELED` where
  /// there is no result yet. A close waits on for the kernel, unless the queue is ending.
  package func abandonAll() {
    for file in filesInFlight() { cancelInGlibc(allOf: file) }
    // Slots that are added from here on hold the responses of others.
    let slotCount = pool.slotCount
    forEachRequest(slotCount) { abandon($0) }
    guard stage == .ending else { return }
    // After all others, whose handlers come first.
    forEachRequest(slotCount) { request in
      guard request.pointee.kind == .detach, request.state == .parked,
        let file = request.pointee.file
      else { return }
      cancelHeldDetach(of: file)
    }
  }

  private func forEachRequest(_ slotCount: UInt32, _ body: (RequestRef) -> Void) {
    for index in 0..<slotCount {
      if let request = pool.slot(index) { body(request) }
    }
  }

  private func filesInFlight() -> [AIOFile] {
    var files: [ObjectIdentifier: AIOFile] = [:]
    var next = books.inFlight.first
    while let request = next {
      if let file = request.pointee.file { files[ObjectIdentifier(file)] = file }
      next = request.pointee.next
    }
    return Array(files.values)
  }

  private func abandon(_ request: RequestRef) {
    guard request.pointee.kind != .doorbell else { return }
    if stage == .ending, request.state == .waiting, let file = request.pointee.file {
      // What is merged is taken apart wherever it stands: no order is left to be kept.
      if unsafe request.pointee.mergedMemory != nil { separate(request, of: file) }
      if request.isAbandoned, request.state == .waiting {
        takeWaiting(request, of: file)
        end(request, ECANCELED)
      }
    }
    guard !request.isAbandoned else { return }
    cancel(request, ECANCELED, abandoning: true)
  }

  /// Completes a detach with `ECANCELED` that waits for glibc or for a call on another thread.
  func cancelHeldDetach(of file: AIOFile) {
    guard file.inFlightCount > 0 || file.lentCount > 0, let detach = file.takeParkedDetach()
    else { return }
    file.closesWhenIdle = true
    takeParked(detach)
    end(detach, ECANCELED)
  }

  @discardableResult
  private func cancel(
    _ request: RequestRef, _ errorNumber: Int32, abandoning: Bool
  ) -> CancelStatus {
    guard let file = request.pointee.file else { return .allDone }
    switch request.state {
    case .waiting where unsafe request.pointee.mergedMemory == nil:
      cancelWaiting(request, of: file, errorNumber)
      return .canceled
    case .waiting where file.waiting.first.map { $0 == request } ?? false:
      // Elsewhere than in front, taking it apart would change the order of what is appended.
      separate(request, of: file)
      return cancel(request, errorNumber, abandoning: abandoning)
    case .parked where request.pointee.kind != .detach:
      file.barrier.remove(request)
      takeParked(request)
      end(request, errorNumber)
      return .canceled
    case .inFlight where harvest(request):
      switch request.state {
      case .waiting, .parked:
        // It was not the last one: of a short write, or of a sync that ran too early.
        return cancel(request, errorNumber, abandoning: abandoning)
      case .free, .taken, .inFlight, .joined, .finished, .orphaned:
        return .allDone
      }
    case .inFlight where cancelInGlibc(request, of: file, errorNumber):
      // Its group may have others that run on, and is announced with the last of them.
      _ = harvest(request)
      return .canceled
    case .waiting, .inFlight, .joined:
      guard abandoning, !request.isAbandoned else { return .notCanceled }
      answerEarly(request, errorNumber)
      return .abandoned
    case .free, .taken, .finished, .parked, .orphaned:
      return .allDone
    }
  }

  private func cancelWaiting(_ request: RequestRef, of file: AIOFile, _ errorNumber: Int32) {
    takeWaiting(request, of: file)
    let isSync = request.pointee.kind.isSync
    if isSync { file.barrier.syncEnded() }
    end(request, errorNumber)
    if isSync { startDueSync(file) }
  }

  private func end(_ request: RequestRef, _ errorNumber: Int32) {
    setOutcome(request, errorNumber, isCancellation: true)
    finish(request)
  }

  /// Cancelling what stands between others can make glibc lose those, so only the last one on a
  /// descriptor is; and nothing that others are a part of.
  private func cancelInGlibc(
    _ request: RequestRef, of file: AIOFile, _ errorNumber: Int32
  ) -> Bool {
    guard request.pointee.kind.isTransfer, unsafe request.pointee.mergedMemory == nil,
      file.lanes.isLast(request)
    else { return false }
    let descriptor = file.lanes.descriptor(Int(request.pointee.lane))
    do throws(Errno) {
      guard try unsafe system.cancel(descriptor, request.control) == Int32(AIO_CANCELED) else {
        return false
      }
    } catch {
      // The caller has closed the descriptor under the file; the operation ends by itself.
      return false
    }
    request.pointee.cancelNumber = errorNumber
    return true
  }

  /// Calls the handler of a request that glibc still has, through a slot of its own.
  private func answerEarly(_ request: RequestRef, _ errorNumber: Int32) {
    // In flight or waiting, a request has its file.
    guard let file = request.pointee.file else { return }
    books.deadlines.remove(request)
    markAbandoned(request)
    let response = pool.take()
    response.pointee.kind = request.pointee.kind
    admit(response, of: file)
    response.pointee.handler = request.pointee.handler.take()
    response.pointee.offset = request.pointee.offset
    setOutcome(response, errorNumber, isCancellation: true)
    books.counters.abandonedCount += 1
    putFinished(response)
    if books.finished.count == 1 { wake() }
  }

  /// Ends what is past its deadline with `ETIMEDOUT`; what runs is answered and goes on unseen.
  func expireDeadlines() {
    while let request = books.deadlines.earliest, request.pointee.deadline <= books.now {
      books.deadlines.remove(request)
      cancel(request, ETIMEDOUT, abandoning: true)
    }
  }
}
