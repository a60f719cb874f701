internal import Glibc
public import SystemPackage

/// How a file ends.
extension AIOFile {
  enum End {
    case open
    /// A close or detach waits for the file's last operation. The closes after it wait for it.
    case begun(furtherCloses: [CompletionQueue.SyncHandler])
    /// The close or detach has completed with this error, 0 for success.
    case reached(errorNumber: Int32)
  }

  /// Closes the file's descriptors after its last operation. Wraps `close(2)`.
  ///
  /// The requests that were accepted before run to their end, and their handlers are called first.
  /// New ones are refused with `EBADF`. `close(2)` may block, and runs on the queue's thread; to
  /// close the descriptor yourself, use ``detach(_:)``.
  ///
  /// A second close closes nothing: it completes after the first one, with the outcome of the
  /// first. After ``detach(_:)``, a close completes with the outcome of the detach, and the
  /// descriptor stays the caller's.
  ///
  /// Traps on any thread but the queue's.
  ///
  /// - Parameter handler: Called once, from `drain`. An error means that data of earlier writes may
  ///   be lost, as on a network file system; the descriptors are closed all the same. `ECANCELED`
  ///   means that the queue ended first; the descriptors are closed when the kernel is done with
  ///   them.
  public func close(_ handler: @escaping CompletionQueue.SyncHandler = { _ in }) {
    queue.checkThread()
    guard isOpen else { return closeAgain(handler) }
    detachAll { [self] descriptors in
      complete(handler) { () throws(Errno) in try descriptors.close() }
    }
  }

  /// Gives the descriptor back after the file's last operation. New requests are refused with
  /// `EBADF`.
  ///
  /// The queue closes its duplicates of the descriptor first, with `close(2)` on its thread. On a
  /// network file system that may block.
  ///
  /// Traps on any thread but the queue's.
  ///
  /// - Parameter handler: Called once, from `drain`, with the descriptor, which the caller then
  ///   closes. `EBADF` means that the file was closed or detached before, so that it has no
  ///   descriptor to give. `ECANCELED` means that the queue ended first; the descriptor is then
  ///   closed when the kernel is done with it.
  public func detach(_ handler: @escaping (Result<FileDescriptor, FileError>) -> Void) {
    queue.checkThread()
    guard isOpen else {
      let error = FileError(operation: .close, path: path, errno: .badFileDescriptor)
      return queue.enqueueOutcome(EBADF, of: self) { _ in handler(.failure(error)) }
    }
    detachAll { [self] descriptors in
      complete(handler) { () throws(Errno) in try descriptors.surrenderFirst() }
    }
  }

  /// As ``detach(_:)``, but gives back all descriptors of the file, the duplicates too, so that the
  /// caller can close them on a thread that may block. Traps if the file was closed or detached
  /// before.
  ///
  /// - Parameter handler: Called once, from `drain`.
  package func detachAll(_ handler: @escaping (ClosingDescriptors) -> Void) {
    queue.checkThread()
    require(isOpen, "AIOFile: a file's descriptors can be given back only once")
    end = .begun(furtherCloses: [])
    queue.enqueueDetach(self, handler)
  }

  private func closeAgain(_ handler: @escaping CompletionQueue.SyncHandler) {
    switch end {
    case .open: trap("AIOFile: the first close is not a further one")
    case .begun(let others): end = .begun(furtherCloses: others + [handler])
    case .reached(let errorNumber): queue.enqueueOutcome(errorNumber, of: self, handler)
    }
  }

  /// Ends the first close or detach. Further closes complete after its handler, with its outcome.
  private func complete<Value>(
    _ handler: (Result<Value, FileError>) -> Void, _ release: () throws(Errno) -> Value
  ) {
    let result = Result { () throws(FileError) in
      do throws(Errno) {
        return try release()
      } catch {
        throw FileError(operation: .close, path: path, errno: error)
      }
    }
    guard case .begun(let others) = end else { trap("AIOFile: a file ends once") }
    var errorNumber: Int32 = 0
    if case .failure(let error) = result { errorNumber = error.errno.rawValue }
    end = .reached(errorNumber: errorNumber)
    for other in others { queue.enqueueOutcome(errorNumber, of: self, other) }
    handler(result)
  }

  // MARK: - Calls on other threads

  /// Lends the descriptor to a call on another thread. A close waits for ``giveBackDescriptor()``.
  /// In any case, the number stays open as long as the caller holds the result.
  ///
  /// - Throws: `EBADF` after ``close(_:)`` or ``detach(_:)``.
  package func lendDescriptor() throws(Errno) -> SharedDescriptor.Use {
    guard isOpen, let shared else { throw .badFileDescriptor }
    countLent()
    return SharedDescriptor.Use(shared)
  }

  /// The descriptor's number, for a call that returns before anything else happens to the file.
  ///
  /// - Throws: `EBADF` after ``close(_:)`` or ``detach(_:)``.
  package func currentDescriptor() throws(Errno) -> Int32 {
    guard isOpen, let shared else { throw .badFileDescriptor }
    return shared.rawValue
  }

  /// The call that borrowed the descriptor has ended.
  package func giveBackDescriptor() {
    countGivenBack()
    requestEnded()
  }

  // MARK: - The last request

  /// One of the file's requests has ended, and its handler has returned.
  @inline(__always)
  func requestEnded() {
    countRequestOut()
    if unfinishedCount <= 1 { endIfLast() }
  }

  private func endIfLast() {
    finishDetachIfLast()
    if closesWhenIdle, unfinishedCount == 0, shared != nil {
      // The close was completed early, so no handler waits for this.
      _ = surrenderDescriptors()
    }
  }

  func park(detach request: RequestRef) {
    parkedDetach = request
    finishDetachIfLast()
  }

  private func finishDetachIfLast() {
    guard unfinishedCount == 1, let request = parkedDetach else { return }
    parkedDetach = nil
    queue.unmarkParked(request)
    queue.finish(request)
  }

  /// Gives all descriptors to the caller. Nothing may be in flight.
  func surrenderDescriptors() -> ClosingDescriptors {
    guard let shared else { trap("AIOFile: its descriptors are already given away") }
    self.shared = nil
    return ClosingDescriptors(shared, duplicates: lanes.takeDuplicates())
  }

  func takeParkedDetach() -> RequestRef? {
    parkedDetach.take()
  }

  // MARK: - After the queue's end

  /// Gives the descriptors to operations that outlive the queue. A file that is still open keeps
  /// its first one.
  func orphanDescriptors() -> OrphanedDescriptors {
    isOrphaned = true
    let first = shared
    if !isOpen { shared = nil }
    return OrphanedDescriptors(first, use, duplicates: lanes.surrenderDuplicates())
  }

  /// For a close after the queue has retired. Descriptors that the kernel or a call on another
  /// thread still uses are closed when that use ends.
  func surrenderAfterTheEnd() -> ClosingDescriptors {
    guard unfinishedCount == 0, !isOrphaned else {
      shared = nil
      return ClosingDescriptors(refused: .canceled)
    }
    return surrenderDescriptors()
  }
}
