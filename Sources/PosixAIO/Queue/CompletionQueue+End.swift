internal import CPosixAIO
internal import Glibc
internal import SystemPackage

/// How a queue ends whose loop ends: nothing is started any more, everything is completed, and what
/// the kernel cannot give back yet goes to the ``Orphanage``.
extension CompletionQueue {
  enum Stage {
    case open
    /// New requests are refused with `ECANCELED`.
    case ending
    /// Signal, timer and descriptors are given back.
    case retired
  }

  /// Refuses new requests with `ECANCELED` from now on, and has the next drains complete all that
  /// are unfinished: with `ECANCELED` where there is no result yet.
  ///
  /// A close or detach is still accepted. Where glibc or a call on another thread still uses the
  /// file, it completes with `ECANCELED`, and the descriptors are closed when those let go.
  package func beginEnd() {
    guard stage == .open else { return }
    stage = .ending
    abandonAll()
    wake()
  }

  /// Gives back what the queue has: its signal, its descriptors, its memory. To be called when
  /// ``unfinishedCount`` is 0 after ``beginEnd()``.
  ///
  /// Waits until glibc holds nothing of regular files any more. What it still holds then, and the
  /// operations of pipes, sockets and terminals, keep their memory and their descriptors, and
  /// nothing else; a queue that is made or retires later frees what has ended by then.
  ///
  /// - Parameter limit: The longest to wait; 0 does not.
  package func retire(waitingAtMost limit: Duration) {
    guard stage != .retired else { return }
    require(
      stage == .ending && !books.isDraining,
      "CompletionQueue: retire() comes after beginEnd(), and not from a completion handler")
    requestDrain = nil
    delivered = nil
    waitForRegularFiles(limit)
    // Closes that came meanwhile.
    while unfinishedCount > 0, drain() > 0 {}
    require(unfinishedCount == 0, "CompletionQueue: retire() comes when nothing is unfinished")
    _ = lookAtEverythingInFlight()
    stage = .retired
    let orphan = books.inFlight.isEmpty ? nil : makeOrphan()
    books.ready = ReadyFiles()
    books.deferred = ReadyFiles()
    heldBack = HeldBackStreams()
    withoutDescriptor = ReadyFiles()
    signal.release(leavesOrphans: orphan != nil)
    timer.close()
    Glibc.close(descriptor.rawValue)
    // After the release: from here on another thread may find that they have ended.
    if let orphan { Orphanage.take(orphan) }
    Orphanage.sweep()
  }

  private func waitForRegularFiles(_ limit: Duration) {
    let end = system.now().addingSaturated(limit.wholeNanoseconds)
    while holdsRegularFile {
      let now = system.now()
      guard now < end else { return }
      // Rounded up, so that the last wait is no busy one.
      let milliseconds = Int32(clamping: (end - now) / 1_000_000 + 1)
      var polled = pollfd(fd: descriptor.rawValue, events: Int16(POLLIN), revents: 0)
      // An interruption by a signal only makes for one more look.
      _ = unsafe poll(&polled, 1, milliseconds)
      drain()
    }
  }

  private var holdsRegularFile: Bool {
    var next = books.inFlight.first
    while let request = next {
      if let file = request.pointee.file, !file.traits.isStream { return true }
      next = request.pointee.next
    }
    return false
  }

  /// Takes what is in flight out of the requests and files.
  private func makeOrphan() -> Orphan {
    var operations: [Orphan.Operation] = []
    var descriptors: [ObjectIdentifier: OrphanedDescriptors] = [:]
    while let request = books.inFlight.first {
      // In flight, a request has its file.
      guard let file = request.pointee.file else { break }
      freeCompanions(of: request)
      let shared = descriptors[ObjectIdentifier(file)] ?? file.orphanDescriptors()
      descriptors[ObjectIdentifier(file)] = shared
      takeInFlight(request, of: file)
      orphan(request)
      if let memory = unsafe request.pointee.memory { books.heldByteCount -= memory.count }
      operations.append(Orphan.Operation(request, shared))
      _ = request.pointee.file.take()
      file.requestEnded()
    }
    return Orphan(operations, pool, system, signal: signal.number)
  }

  /// What glibc holds for several requests it holds in memory of its own.
  private func freeCompanions(of leader: RequestRef) {
    var member = leader.pointee.companion.take()
    while let request = member {
      member = request.pointee.companion.take()
      takeJoined(request)
      discard(request)
    }
  }
}
