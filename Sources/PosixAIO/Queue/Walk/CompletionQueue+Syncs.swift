internal import CPosixAIO
internal import Glibc
internal import SystemPackage

/// Syncs, from the moment at which one is due to its outcome. ``SyncBarrier`` says when a sync is
/// due and what its outcome is worth.
///
/// `lio_listio(3)` cannot carry a sync, and the signal of `aio_fsync(3)` itself could overwrite its
/// result. So a sync is submitted without a signal, and a *sync marker* after it on the same
/// descriptor: an empty read whose group signals. glibc runs a descriptor's operations in order, so
/// that signal says that the sync has ended.
extension CompletionQueue {
  // MARK: Which sync is next

  /// Moves a file's due sync to the front of its waiting list. When it is submitted, it serves all
  /// the file's other due syncs too.
  func startDueSync(_ file: AIOFile) {
    guard let leader = file.barrier.takeDue() else { return }
    unmarkParked(leader)
    // To the front: it covers none of the writes that wait.
    addToWaitingFront(leader, of: file)
    makeReady(file)
  }

  /// After a sync: delays the file's next one until the handlers of this one have been called, so
  /// that it covers what they write next. Starting it immediately would split the waiting appenders
  /// into two alternating groups.
  private func deferNextSync(_ file: AIOFile) {
    guard !hot.finished.isEmpty else { return startDueSync(file) }
    // The file's only sync has just ended, so the file is not in the list yet.
    hot.deferred.append(file)
    file.barrier.deferNext(
      until: hot.counters.completedCount + UInt64(hot.finished.count))
  }

  /// Starts the deferred syncs whose handlers have been called.
  func resumeDeferredSyncs() {
    while let file = hot.deferred.first, let target = file.barrier.deferredUntil,
      hot.counters.completedCount >= target
    {
      _ = hot.deferred.popFirst()
      file.barrier.endDeferral()
      // A waiting write takes the sync along when it is submitted, or starts it when it ends. That
      // is not so where syncs are not submitted after writes: with direct IO, and in files that may
      // block forever, whose writes wait in `waitingOutput`.
      let hasWrite = file.waiting.first?.pointee.kind == .write
      if !hasWrite || !file.traits.keepsWritesInOrder { startDueSync(file) }
    }
  }

  // MARK: Submission

  /// Submits a sync that waits for no write.
  ///
  /// - Returns: Whether glibc takes more.
  func submitDueSync(_ sync: RequestRef, of file: AIOFile, _ lane: Int) -> Bool {
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
    return submitSyncMarker(after: sync, of: file, lane)
  }

  /// Submits the syncs that wait for writes, once all of those writes are in flight: on their lane,
  /// so that a helper goes from the last write to the sync without waking a thread in between. If a
  /// write comes back short, the sync runs again after the remainder.
  ///
  /// - Returns: Whether glibc takes more.
  func submitSyncAfterWrites(of file: AIOFile) -> Bool {
    guard file.writeInFlightCount > 0, file.traits.keepsWritesInOrder,
      file.failureNumber == 0, hot.inFlight.count < configuration.inFlightLimit,
      file.inFlightCount < configuration.inFlightLimitPerFile,
      let sync = file.barrier.takeAfterWrites()
    else { return true }
    unmarkParked(sync)
    batch.removeAll()
    let lane = file.lanes.writeLane
    do throws(Errno) {
      try submitSync(sync, of: file, lane)
    } catch {
      // Retried when the writes have ended.
      file.barrier.syncEnded()
      markParked(sync)
      file.barrier.parkAgain(sync)
      file.barrier.parkAgainAfterWrites()
      return true
    }
    return submitSyncMarker(after: sync, of: file, lane)
  }

  /// Submits a sync without a signal, and joins all due syncs of the file to it.
  private func submitSync(_ sync: RequestRef, of file: AIOFile, _ lane: Int) throws(Errno) {
    let descriptor = file.lanes.descriptor(lane)
    unsafe caio_prepare(sync.control, Int32(LIO_NOP), descriptor, nil, 0, 0)
    let dataOnly = file.barrier.isDataEnough(for: sync)
    try unsafe system.submitSync(sync.control, dataOnly: dataOnly)
    while let served = file.barrier.takeLastDue() {
      unmarkParked(served)
      markJoined(served)
      served.pointee.companion = sync.pointee.companion
      sync.pointee.companion = served
    }
  }

  /// Submits the marker of a sync that glibc has just taken. If the marker's signal should ever
  /// come before the sync has ended, the backstop finds the sync.
  private func submitSyncMarker(after sync: RequestRef, of file: AIOFile, _ lane: Int) -> Bool {
    batch.appendStarted(sync)
    batch.append(makeSyncMarker(file))
    return submitBatch(file, .one(lane))
  }

  /// Submits another marker for a sync whose marker was cancelled. If glibc refuses it, the
  /// backstop finds the sync.
  func resubmitSyncMarker(after sync: RequestRef, of file: AIOFile) {
    batch.removeAll()
    batch.append(makeSyncMarker(file))
    _ = submitBatch(file, .one(Int(sync.pointee.lane)))
  }

  private func makeSyncMarker(_ file: AIOFile) -> RequestRef {
    let syncMarker = pool.allocate()
    syncMarker.pointee.kind = .syncMarker
    syncMarker.pointee.byteCount = 0
    syncMarker.pointee.offset = 0
    admit(syncMarker, of: file)
    return syncMarker
  }

  func discardSyncMarker(_ syncMarker: RequestRef) {
    let file = syncMarker.pointee.file.take()
    free(syncMarker)
    file?.requestEnded()
  }

  // MARK: Outcome

  /// Ends a sync and the syncs that joined it.
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
        unmarkJoined(sync)
        hot.counters.mergedSyncCount += 1
      }
      setOutcome(sync, errorNumber, isCancellation: wasCanceled)
      finishServed(sync, of: file)
    }
    deferNextSync(file)
  }

  /// Ends one sync, unless it ran too early: after a write that came back short. Such a sync waits
  /// again. A sync that ran after a failed write fails with that write's error.
  private func finishServed(_ sync: RequestRef, of file: AIOFile) {
    if sync.pointee.errorNumber == 0 {
      switch file.barrier.outcome(of: sync) {
      case .kept: break
      case .isEarly where sync.isAbandoned: break
      case .isEarly:
        markParked(sync)
        return file.barrier.parkAgain(sync)
      case .isBroken: setOutcome(sync, file.failureNumber, isCancellation: false)
      }
    }
    finish(sync)
  }
}
