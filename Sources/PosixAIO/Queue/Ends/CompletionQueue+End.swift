internal import CPosixAIO
internal import Glibc
internal import SystemPackage

/// The end of a queue whose loop ends: it starts nothing more, completes every request, and leaves
/// to the ``Orphanage`` what the kernel cannot give back yet.
extension CompletionQueue {
  enum Stage {
    case open
    /// New requests are refused with `ECANCELED`.
    case ending
    /// Signal, timer and descriptors are given back.
    case retired
  }

  /// Refuses new requests with `ECANCELED` from now on, and makes the next drains complete all
  /// unfinished ones, with `ECANCELED` for those without a result.
  ///
  /// A close or detach is still accepted. If glibc or a call on another thread still uses the file,
  /// it completes with `ECANCELED`, and the descriptors are closed when that use ends.
  ///
  /// A second call does nothing. Traps on any thread but the queue's.
  public func beginEnd() {
    checkThread()
    guard stage == .open else { return }
    stage = .ending
    abandonAll()
    wake()
  }

  /// Gives back the queue's signal, descriptors and memory. Call it after ``beginEnd()``, when
  /// ``unfinishedCount`` is 0.
  ///
  /// Waits until glibc holds no operation of a regular file any more. Operations that it still
  /// holds after that time, and those of pipes, sockets and terminals, keep only their memory and
  /// their descriptors. A queue that is made or retires later frees those that have ended by then.
  ///
  /// Traps before ``beginEnd()``, while requests are unfinished, in a handler of the queue, and on
  /// any thread but the queue's. A second call does nothing.
  ///
  /// - Parameter limit: The longest time to wait, 0 or more.
  public func retire(waitingAtMost limit: Duration) {
    guard stage != .retired else { return }
    require(
      stage == .ending && !hot.isDraining,
      "CompletionQueue: call retire() after beginEnd(), and not in a completion handler")
    requestDrain = nil
    handlersCalled = nil
    waitForRegularFiles(limit)
    // Closes that were made in the meantime.
    while unfinishedCount > 0, drain() > 0 {}
    require(unfinishedCount == 0, "CompletionQueue: call retire() when nothing is unfinished")
    _ = reapEverything()
    stage = .retired
    leaveAllThreads()
    let orphan = hot.inFlight.isEmpty ? nil : makeOrphan()
    hot.ready = FIFO()
    hot.deferred = FIFO()
    heldBack = HeldBackFiles()
    signal.release(leavesOrphans: orphan != nil)
    timer.close()
    Glibc.close(descriptor.rawValue)
    // After the release, since another thread may find from now on that the orphan has ended.
    if let orphan { Orphanage.take(orphan) }
    Orphanage.sweep()
  }

  private func waitForRegularFiles(_ limit: Duration) {
    let end = system.now().addingSaturated(limit.wholeNanoseconds)
    while holdsRegularFile {
      let now = system.now()
      guard now < end else { return }
      // Rounded up, so that the last wait does not spin.
      let milliseconds = Int32(clamping: (end - now) / 1_000_000 + 1)
      var polled = pollfd(fd: descriptor.rawValue, events: Int16(POLLIN), revents: 0)
      // If a signal interrupts it, the loop checks once more.
      _ = unsafe poll(&polled, 1, milliseconds)
      drain()
    }
  }

  private var holdsRegularFile: Bool {
    var next = hot.inFlight.first
    while let request = next {
      if let file = request.pointee.file, !file.traits.mayBlockForever { return true }
      next = request.pointee.next
    }
    return false
  }

  /// Moves the operations in flight out of their requests and files.
  private func makeOrphan() -> Orphan {
    var operations: [Orphan.Operation] = []
    var descriptors: [ObjectIdentifier: OrphanedDescriptors] = [:]
    while let request = hot.inFlight.first {
      // In flight, a request has its file.
      guard let file = request.pointee.file else { break }
      freeCompanions(of: request)
      let shared = descriptors[ObjectIdentifier(file)] ?? file.orphanDescriptors()
      descriptors[ObjectIdentifier(file)] = shared
      removeFromInFlight(request, of: file)
      orphan(request)
      if let memory = request.pointee.memory { hot.heldByteCount -= memory.capacity }
      operations.append(Orphan.Operation(request, shared))
      _ = request.pointee.file.take()
      file.requestEnded()
    }
    return Orphan(operations, pool, system, signal: signal.number)
  }

  /// Frees the requests that joined one in flight: glibc uses the merged memory, not theirs.
  private func freeCompanions(of leader: RequestRef) {
    var member = leader.pointee.companion.take()
    while let request = member {
      member = request.pointee.companion.take()
      unmarkJoined(request)
      discard(request)
    }
  }
}
