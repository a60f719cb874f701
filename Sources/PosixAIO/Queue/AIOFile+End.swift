internal import Glibc
public import SystemPackage

/// How a file ends.
extension AIOFile {
  /// Closes the file's descriptors as soon as no operation needs them. Wraps `close(2)`.
  ///
  /// Operations accepted before run to their end and have their handlers called first; new ones are
  /// refused with `EBADF`. `close(2)` may block, and is called on the queue's thread;
  /// ``detach(_:)`` leaves it to the caller.
  ///
  /// - Parameter handler: Called once, from `drain`. An error means that data of earlier writes may
  ///   be lost, as on a network file system; the descriptors are gone all the same. `ECANCELED`
  ///   says that the queue ended first: the descriptors are closed when the kernel lets go of them.
  public func close(_ handler: @escaping CompletionQueue.SyncHandler = { _ in }) {
    let path = path
    detachAll { descriptors in
      handler(
        Result { () throws(FileError) in
          do throws(Errno) {
            try descriptors.close()
          } catch {
            throw FileError(operation: .close, path: path, errno: error)
          }
        })
    }
  }

  /// Gives the descriptor back as soon as no operation needs it. New operations are refused with
  /// `EBADF`.
  ///
  /// The duplicates that the queue made of it are closed first, with `close(2)` on the queue's
  /// thread, where that may block on a network file system.
  ///
  /// - Parameter handler: Called once, from `drain`, with the descriptor, which is the caller's to
  ///   close; or with `ECANCELED` if the queue ended first: then the descriptor is closed when the
  ///   kernel lets go of it.
  public func detach(_ handler: @escaping (Result<FileDescriptor, FileError>) -> Void) {
    let path = path
    detachAll { descriptors in
      handler(
        Result { () throws(FileError) in
          do throws(Errno) {
            return try descriptors.surrenderFirst()
          } catch {
            throw FileError(operation: .close, path: path, errno: error)
          }
        })
    }
  }

  /// As ``detach(_:)``, but gives all descriptors of the file, the duplicates too, to close them on
  /// whichever thread may block.
  ///
  /// - Parameter handler: Called once, from `drain`.
  package func detachAll(_ handler: @escaping (ClosingDescriptors) -> Void) {
    require(isOpen, "AIOFile: a file is closed or detached only once")
    isOpen = false
    queue.acceptDetach(self, handler)
  }

  // MARK: - Calls that the queue does not make

  /// Lends the descriptor for a call on another thread. A close waits for
  /// ``giveBackDescriptor()``; and whatever becomes of the file, the number stays open as long as
  /// the reference is held.
  ///
  /// - Throws: `EBADF` after ``close(_:)`` or ``detach(_:)``.
  package func lendDescriptor() throws(Errno) -> SharedDescriptor.Use {
    guard isOpen, let shared else { throw .badFileDescriptor }
    countLent()
    return SharedDescriptor.Use(shared)
  }

  /// The descriptor, for a call that returns before anything else is done with the file.
  ///
  /// - Throws: `EBADF` after ``close(_:)`` or ``detach(_:)``.
  package func currentDescriptor() throws(Errno) -> Int32 {
    guard isOpen, let shared else { throw .badFileDescriptor }
    return shared.rawValue
  }

  /// The call that got the descriptor is over.
  package func giveBackDescriptor() {
    countGivenBack()
    requestEnded()
  }

  // MARK: - Ends

  /// One of the file's requests is over, its handler called.
  @inline(__always)
  func requestEnded() {
    countRequestOut()
    if unfinishedCount <= 1 { endIfLast() }
  }

  private func endIfLast() {
    finishDetachIfLast()
    if closesWhenIdle, unfinishedCount == 0, shared != nil {
      // Who asked for the close has its response already.
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
    queue.takeParked(request)
    queue.finish(request)
  }

  /// Gives all descriptors away. Nothing may be in flight.
  func surrenderDescriptors() -> ClosingDescriptors {
    guard let shared else { trap("AIOFile: its descriptors are given away once") }
    self.shared = nil
    return ClosingDescriptors(shared, duplicates: lanes.takeDuplicates())
  }

  func takeParkedDetach() -> RequestRef? {
    parkedDetach.take()
  }

  // MARK: - After the queue's end

  /// Gives the descriptors away for operations that outlive the queue. An open file keeps its first
  /// one.
  func orphanDescriptors() -> OrphanedDescriptors {
    isOrphaned = true
    let first = shared
    if !isOpen { shared = nil }
    return OrphanedDescriptors(first, use, duplicates: lanes.surrenderDuplicates())
  }

  /// For a close after the queue has retired. What the kernel or a call on another thread still
  /// uses is closed when they let go.
  func surrenderAfterTheEnd() -> ClosingDescriptors {
    guard unfinishedCount == 0, !isOrphaned else {
      shared = nil
      return ClosingDescriptors(refused: .canceled)
    }
    return surrenderDescriptors()
  }
}
