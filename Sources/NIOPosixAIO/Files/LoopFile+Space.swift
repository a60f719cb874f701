#if NIO
  public import NIOCore
  public import PosixAIO
  internal import SystemPackage

  /// The file's size and its space on the disk. Each call runs on the thread pool, to its end even
  /// if its task is cancelled, and fails with `EBADF` after ``close()->()``.
  extension LoopFile {
    /// The effect of ``allocate(_:as:)->()`` on a range of a file.
    public typealias Allocation = FileAllocation

    /// Changes the file's size. Bytes that are added read as zeros. Wraps `ftruncate(2)`.
    ///
    /// - Parameter byteCount: The new size, 0 or more.
    /// - Returns: A future that fails with `EINVAL` for a negative size.
    public func resize(to byteCount: Int64) -> EventLoopFuture<Void> {
      owner.future(FileCall(.truncate, path, at: byteCount)) { [self] in
        startResize(byteCount, $0)
      }
    }

    /// Changes the file's size. Bytes that are added read as zeros. Wraps `ftruncate(2)`.
    ///
    /// - Parameter byteCount: The new size, 0 or more.
    /// - Throws: `EINVAL` for a negative size.
    nonisolated(nonsending) public func resize(to byteCount: Int64) async throws(FileError) {
      try await owner.uncancelledOutcome(FileCall(.truncate, path, at: byteCount)) { [self] in
        startResize(byteCount, $0)
      }
    }

    private func startResize(_ byteCount: Int64, _ done: @escaping Completion<Void>) {
      let path = path
      offload(
        FileCall(.truncate, path, at: byteCount),
        { (descriptor) throws(FileError) in
          try FileSystemCalls.truncate(descriptor, path: path, to: byteCount)
        }, done)
    }

    /// Allocates or deallocates space. Wraps `fallocate(2)`.
    ///
    /// - Parameters:
    ///   - range: In bytes from the file's start, not empty.
    ///   - kind: The effect on the range.
    /// - Returns: A future that fails with `ENOSPC`, with `ENOTSUP` if the file system does not
    ///   support the operation, or with `EINVAL` for an empty range. It is never emulated by
    ///   writing zeros.
    public func allocate(
      _ range: Range<Int64>, as kind: Allocation = .extending
    ) -> EventLoopFuture<Void> {
      owner.future(FileCall(.allocate, path, at: range.lowerBound)) { [self] in
        startAllocation(range, kind, $0)
      }
    }

    /// Allocates or deallocates space. Wraps `fallocate(2)`.
    ///
    /// - Parameters:
    ///   - range: In bytes from the file's start, not empty.
    ///   - kind: The effect on the range.
    /// - Throws: `ENOSPC`, `ENOTSUP` if the file system does not support the operation, or `EINVAL`
    ///   for an empty range. It is never emulated by writing zeros.
    nonisolated(nonsending) public func allocate(
      _ range: Range<Int64>, as kind: Allocation = .extending
    ) async throws(FileError) {
      try await owner.uncancelledOutcome(FileCall(.allocate, path, at: range.lowerBound)) {
        [self] in startAllocation(range, kind, $0)
      }
    }

    private func startAllocation(
      _ range: Range<Int64>, _ kind: Allocation, _ done: @escaping Completion<Void>
    ) {
      let call = FileCall(.allocate, path, at: range.lowerBound)
      guard range.lowerBound >= 0 else { return done(.failure(call.error(.invalidArgument))) }
      let path = path
      offload(
        call,
        { (descriptor) throws(FileError) in
          try FileSystemCalls.allocate(descriptor, path: path, kind, range)
        }, done)
    }
  }
#endif
