internal import CPosixAIO
internal import Glibc
internal import SystemPackage

/// Cancellation and deadlines.
extension CompletionQueue {
  /// The result of an attempt to cancel a request.
  public enum CancelStatus: Equatable, Sendable {
    /// The request will not run. Its handler gets `ECANCELED`. A write may already have been
    /// started; the error says how many of its bytes are in the file.
    case canceled
    /// The request runs and goes on, but its handler gets `ECANCELED` now; see
    /// ``CompletionQueue/cancel(_:abandoning:)``.
    case abandoned
    /// The request runs and goes on, and its handler gets its own result.
    case notCanceled
    /// The handler was already called, or the result is known and the handler is about to be.
    case allDone
  }

  /// Tries to cancel a request. Whatever the result, ``drain(limit:)`` calls its handler once.
  ///
  /// A request that waits in the queue is always cancelled. One that glibc holds is cancelled with
  /// `aio_cancel(3)` where that is safe: where no operation is queued behind it on its descriptor.
  /// A request that runs cannot be stopped.
  ///
  /// Traps on any thread but the queue's.
  ///
  /// - Parameters:
  ///   - id: The request, as returned by the method that started it.
  ///   - abandoning: Whether to call the handler of a running request without waiting for it, with
  ///     `ECANCELED` and an empty buffer of capacity 0. The memory stays alive until the kernel is
  ///     done with it, and is then freed. Another read or write with the empty buffer is refused
  ///     with `ENOBUFS`. The effect of an abandoned write on the file is unknown.
  /// - Returns: The fate of the request; ``CancelStatus/allDone`` for a request of another queue.
  @discardableResult
  public func cancel(_ id: RequestID, abandoning: Bool = false) -> CancelStatus {
    checkThread()
    guard id.queue == number, let request = pool.slot(id.index),
      request.pointee.generation == id.generation, !request.isAbandoned
    else { return .allDone }
    return cancel(request, ECANCELED, abandoning: abandoning)
  }

  /// Cancels all requests of a file that do not run yet. Wraps `aio_cancel(3)` without a control
  /// block for those that glibc holds.
  ///
  /// The next ``drain(limit:)`` completes what was cancelled. A sync that runs goes on.
  ///
  /// - Parameter file: A file of this queue; traps for another queue's file, and on any thread but
  ///   the queue's.
  public func cancelAll(of file: AIOFile) {
    checkThread()
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
      unmarkParked(sync)
      end(sync, ECANCELED)
    }
  }

  /// Cancels the operations of a file that glibc holds and does not run, and reaps them. A sync
  /// that runs goes on; if its marker was cancelled, it gets a new one.
  private func cancelInGlibc(allOf file: AIOFile) {
    for lane in 0..<file.lanes.count {
      reapAll(on: lane, of: file)
      guard file.lanes.front(of: lane) != nil else { continue }
      // The status does not matter: reaping finds what was cancelled.
      _ = try? unsafe system.cancel(file.lanes.descriptor(lane), nil)
      reapAll(on: lane, of: file)
    }
    if let sync = file.lanes.syncWithoutMarker { resubmitSyncMarker(after: sync, of: file) }
  }

  /// Makes the next drains call the handlers of all unfinished requests, with `ECANCELED` for those
  /// without a result. A close still waits for the kernel, unless the queue is ending.
  package func abandonAll() {
    for file in filesInFlight() { cancelInGlibc(allOf: file) }
    // Later slots complete requests of these slots early.
    let slotCount = pool.slotCount
    forEachRequest(slotCount) { abandon($0) }
    guard stage == .ending else { return }
    // Detaches come last, since all other handlers of their file come first.
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
    var next = hot.inFlight.first
    while let request = next {
      if let file = request.pointee.file { files[ObjectIdentifier(file)] = file }
      next = request.pointee.next
    }
    return Array(files.values)
  }

  private func abandon(_ request: RequestRef) {
    guard request.pointee.kind != .syncMarker else { return }
    if stage == .ending, request.state == .waiting, let file = request.pointee.file {
      // Anywhere in the list, since the order of appends does not matter any more.
      if unsafe request.pointee.mergedMemory != nil { separate(request, of: file) }
      if request.isAbandoned, request.state == .waiting {
        removeFromWaiting(request, of: file)
        end(request, ECANCELED)
      }
    }
    guard !request.isAbandoned else { return }
    cancel(request, ECANCELED, abandoning: true)
  }

  /// Completes a detach with `ECANCELED` if it waits for glibc or for a call on another thread.
  func cancelHeldDetach(of file: AIOFile) {
    guard file.inFlightCount > 0 || file.lentCount > 0, let detach = file.takeParkedDetach()
    else { return }
    file.closesWhenIdle = true
    unmarkParked(detach)
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
      // Only at the front: elsewhere, splitting a merged write would reorder appends.
      separate(request, of: file)
      return cancel(request, errorNumber, abandoning: abandoning)
    case .parked where request.pointee.kind != .detach:
      file.barrier.remove(request)
      unmarkParked(request)
      end(request, errorNumber)
      return .canceled
    case .inFlight where reap(request):
      switch request.state {
      case .waiting, .parked:
        // The operation ended but the request goes on: a short write, or a sync that ran too early.
        return cancel(request, errorNumber, abandoning: abandoning)
      case .free, .unlisted, .inFlight, .joined, .finished, .orphaned:
        return .allDone
      }
    case .inFlight where cancelInGlibc(request, of: file, errorNumber):
      // Reap it now: its group's signal comes only when the rest of the group has ended.
      _ = reap(request)
      return .canceled
    case .waiting, .inFlight, .joined:
      guard abandoning, !request.isAbandoned else { return .notCanceled }
      completeEarly(request, errorNumber)
      return .abandoned
    case .free, .unlisted, .finished, .parked, .orphaned:
      return .allDone
    }
  }

  private func cancelWaiting(_ request: RequestRef, of file: AIOFile, _ errorNumber: Int32) {
    removeFromWaiting(request, of: file)
    let isSync = request.pointee.kind.isSync
    if isSync { file.barrier.syncEnded() }
    end(request, errorNumber)
    if isSync { startDueSync(file) }
  }

  private func end(_ request: RequestRef, _ errorNumber: Int32) {
    setOutcome(request, errorNumber, isCancellation: true)
    finish(request)
  }

  /// Cancels a request that glibc holds, if that is safe. glibc can lose requests queued behind a
  /// cancelled one, so only the last one on a descriptor is cancelled, and no request that others
  /// have joined.
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
      // The descriptor was closed outside the file; the operation will end by itself.
      return false
    }
    request.pointee.cancelNumber = errorNumber
    return true
  }

  /// Completes a request that glibc still holds, through a second slot.
  private func completeEarly(_ request: RequestRef, _ errorNumber: Int32) {
    // In flight or waiting, a request has its file.
    guard let file = request.pointee.file else { return }
    hot.deadlines.remove(request)
    markAbandoned(request)
    // The caller may free it from now on.
    unsafe request.pointee.lent = nil
    let completion = pool.allocate()
    completion.pointee.kind = request.pointee.kind
    admit(completion, of: file)
    completion.pointee.handler = request.pointee.handler.take()
    completion.pointee.offset = request.pointee.offset
    setOutcome(completion, errorNumber, isCancellation: true)
    hot.counters.abandonedCount += 1
    addToFinished(completion)
    if hot.finished.count == 1 { wake() }
  }

  /// Ends the requests past their deadline with `ETIMEDOUT`. A request that runs is abandoned.
  func expireDeadlines() {
    while let request = hot.deadlines.earliest, request.pointee.deadline <= hot.now {
      hot.deadlines.remove(request)
      cancel(request, ETIMEDOUT, abandoning: true)
    }
  }
}
