public import PosixAIO
public import SystemPackage

/// The async forms, for tasks on the loop's thread. Each corresponds to the callback form of its
/// name. A call that has started runs to its end; only waiting for a lock stops when the task is
/// cancelled.
extension File {
  /// Returns the file's metadata; see ``status(_:)``.
  nonisolated(nonsending) public func status() async throws(FileError) -> FileStatus {
    try await core.outcome(.status, path) { done in status(done) }
  }

  /// Sets the file's size; see ``truncate(to:_:)``.
  nonisolated(nonsending) public func truncate(to byteCount: Int64) async throws(FileError) {
    try await core.outcome(.truncate, path) { done in
      truncate(to: byteCount, done)
    }
  }

  /// Changes the file's permissions; see ``setPermissions(_:_:)``.
  nonisolated(nonsending) public func setPermissions(
    _ permissions: FilePermissions
  ) async throws(FileError) {
    try await core.outcome(.setPermissions, path) { done in
      setPermissions(permissions, done)
    }
  }

  /// Changes the file's owner; see ``setOwner(user:group:_:)``.
  nonisolated(nonsending) public func setOwner(
    user: UInt32? = nil, group: UInt32? = nil
  ) async throws(FileError) {
    try await core.outcome(.setOwner, path) { done in
      setOwner(user: user, group: group, done)
    }
  }

  /// Changes the file's times; see ``setTimes(accessed:modified:_:)``.
  nonisolated(nonsending) public func setTimes(
    accessed: FileStatus.Time? = nil, modified: FileStatus.Time? = nil
  ) async throws(FileError) {
    try await core.outcome(.setTimes, path) { done in
      setTimes(accessed: accessed, modified: modified, done)
    }
  }

  /// Allocates or deallocates space; see ``allocate(_:as:_:)``.
  nonisolated(nonsending) public func allocate(
    _ range: Range<Int64>, as kind: Allocation = .extending
  ) async throws(FileError) {
    try await core.outcome(.allocate, path) { done in
      allocate(range, as: kind, done)
    }
  }

  /// Advises the kernel how a range will be used; see ``advise(_:in:_:)``.
  nonisolated(nonsending) public func advise(
    _ advice: Advice, in range: Range<Int64>? = nil
  ) async throws(FileError) {
    try await core.outcome(.advise, path) { done in
      advise(advice, in: range, done)
    }
  }

  /// Starts writing dirty pages to the disk; see ``startWriteBack(in:_:)``.
  nonisolated(nonsending) public func startWriteBack(
    in range: Range<Int64>? = nil
  ) async throws(FileError) {
    try await core.outcome(.startWriteBack, path) { done in
      startWriteBack(in: range, done)
    }
  }

  /// Takes a lock if it is free; see ``tryLock(_:in:_:)``.
  nonisolated(nonsending) public func tryLock(
    _ kind: LockKind, in range: Range<Int64>? = nil
  ) async throws(FileError) -> Bool {
    try await core.outcome(.lock, path) { done in
      tryLock(kind, in: range, done)
    }
  }

  /// Takes a lock, and waits while others hold it; see ``lock(_:in:timeout:_:)``. Cancelling the
  /// task stops waiting.
  nonisolated(nonsending) public func lock(
    _ kind: LockKind, in range: Range<Int64>? = nil, timeout: Duration? = nil
  ) async throws(FileError) {
    try core.checkStart(.lock, path, at: range?.lowerBound ?? 0)
    let promise = Promise<Void, FileError>(on: core)
    let request = lock(kind, in: range, timeout: timeout) { promise.finish($0) }
    try await promise.value(cancel: { request.cancel() })
  }

  /// Releases this file's locks in a range; see ``unlock(in:_:)``.
  nonisolated(nonsending) public func unlock(
    in range: Range<Int64>? = nil
  ) async throws(FileError) {
    try await core.outcome(.lock, path) { done in unlock(in: range, done) }
  }
}
