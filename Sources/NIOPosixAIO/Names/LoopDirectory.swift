#if NIO
  public import NIOCore
  internal import NIOPosix
  public import PosixAIO
  public import SystemPackage

  /// An open directory, and the names below it.
  ///
  /// Paths given to a directory are relative to it and cannot lead out of it: neither by `..`, nor
  /// by an absolute path, nor by a symbolic link. Such paths fail with `EXDEV`. Without
  /// `openat2(2)`, in a kernel before 5.6 or because of a container's filter, every symbolic link
  /// in a path fails with `ELOOP`.
  ///
  /// A directory that you drop is closed after its last call has ended.
  @safe
  public final class LoopDirectory: LoopFileNamespace, @unchecked Sendable {
    // Sendable: what changes is used on the loop only.

    /// The default permissions of new directories: 0777, reduced by the process's umask, as for
    /// `mkdir(1)`.
    public static let defaultPermissions = FilePermissions(rawValue: 0o777)

    /// The directory itself, where its paths begin.
    public let scope: LoopFileScope

    /// The path that the directory was opened with.
    public let path: FilePath

    private let owner: LoopQueue
    private let descriptor: SharedDescriptor
    // For syncs.
    private let queued: AIOFile

    /// Call it on the loop.
    init(
      _ directory: LoopFileScope.DirectoryDescriptor, path: FilePath, _ eventLoop: any EventLoop,
      _ pool: NIOThreadPool, on owner: LoopQueue
    ) {
      scope = LoopFileScope(eventLoop: eventLoop, pool: pool, directory: directory)
      self.path = path
      self.owner = owner
      descriptor = directory.shared
      queued = AIOFile(directory.shared, path: path, queue: owner.queue)
    }

    // MARK: - Durable names

    /// Makes the names in this directory durable, for example after a file was created or renamed.
    /// Wraps `aio_fsync(3)`.
    ///
    /// - Parameter timeout: The longest time to wait, more than 0. After it the sync fails with
    ///   `ETIMEDOUT`.
    /// - Returns: A future that succeeds when the names are durable.
    public func synchronize(timeout: TimeAmount? = nil) -> EventLoopFuture<Void> {
      owner.future(FileCall(.sync, path)) { [self] in startSync(Cancellation(), timeout, $0) }
    }

    /// Makes the names in this directory durable, for example after a file was created or renamed.
    /// Wraps `aio_fsync(3)`.
    ///
    /// - Parameter timeout: The longest time to wait, more than 0. After it the sync fails with
    ///   `ETIMEDOUT`.
    /// - Throws: An error if the names may not be durable; `ECANCELED` if the task is cancelled.
    nonisolated(nonsending) public func synchronize(
      timeout: TimeAmount? = nil
    ) async throws(FileError) {
      try await owner.outcome(FileCall(.sync, path)) { [self] in startSync($0, timeout, $1) }
    }

    /// As ``synchronize(timeout:)``, also in a cancelled task.
    nonisolated(nonsending) func finishSynchronizing() async throws(FileError) {
      try await owner.uncancelledOutcome(FileCall(.sync, path)) { [self] in
        startSync(Cancellation(), nil, $0)
      }
    }

    private func startSync(
      _ cancellation: Cancellation, _ timeout: TimeAmount?, _ done: @escaping Completion<Void>
    ) {
      queued.startSync(cancellation, dataOnly: false, timeout, FileCall(.sync, path)) {
        [self] result in withExtendedLifetime(self) { done(result) }
      }
    }

    // MARK: - Listing

    /// The default limit of entries for `list(maximumCount:)`.
    public static let defaultListLimit = 100_000

    /// Lists the entries of this directory, without `.` and `..`, in no particular order. Wraps
    /// `readdir(3)`.
    ///
    /// - Parameter maximumCount: The most entries, 1 or more; other values trap. Use
    ///   ``listContents(batchCount:)`` for larger directories.
    /// - Returns: A future of the entries; it fails with `EOVERFLOW` if there are more.
    public func list(
      maximumCount: Int = defaultListLimit
    ) -> EventLoopFuture<[DirectoryEntry]> {
      scope.future(FileCall(.list, path), listing(maximumCount))
    }

    /// Lists the entries of this directory, without `.` and `..`, in no particular order. Wraps
    /// `readdir(3)`.
    ///
    /// - Parameter maximumCount: The most entries, 1 or more; other values trap. Use
    ///   ``listContents(batchCount:)`` for larger directories.
    /// - Returns: The entries.
    /// - Throws: `EOVERFLOW` if there are more.
    nonisolated(nonsending) public func list(
      maximumCount: Int = defaultListLimit
    ) async throws(FileError) -> [DirectoryEntry] {
      try await scope.outcome(FileCall(.list, path), listing(maximumCount))
    }

    private func listing(
      _ maximumCount: Int
    ) -> @Sendable (LoopQueue, @escaping Completion<[DirectoryEntry]>) -> Void {
      require(maximumCount > 0, "LoopDirectory: maximumCount is 1 or more")
      return scope.onPool(FileCall(.list, path)) { [descriptor, path] () throws(FileError) in
        let stream = try DirectoryStream(descriptor.descriptor, path: path)
        let entries = try stream.next(maximumCount)
        guard try stream.next(1).isEmpty else {
          throw FileError(operation: .list, path: path, errno: .overflow)
        }
        return entries
      }
    }

    /// Lists the entries of this directory in batches, so that a huge directory takes bounded
    /// memory.
    ///
    /// - Parameter batchCount: The most entries of a batch, 1 or more; other values trap.
    /// - Returns: A sequence of batches, without `.` and `..`, in no particular order. A name that
    ///   is created or removed during the listing may be included or not.
    public func listContents(batchCount: Int = 512) -> LoopDirectoryBatches {
      require(batchCount > 0, "LoopDirectory: a batch has 1 entry or more")
      return LoopDirectoryBatches(
        scope: scope, path: path, descriptor: descriptor, batchCount: batchCount)
    }
  }

  /// The entries of a directory in batches: ``LoopDirectory/listContents(batchCount:)``. Each
  /// iterator lists the directory from its start.
  public struct LoopDirectoryBatches: AsyncSequence, Sendable {
    fileprivate let scope: LoopFileScope
    fileprivate let path: FilePath
    fileprivate let descriptor: SharedDescriptor
    fileprivate let batchCount: Int

    fileprivate init(
      scope: LoopFileScope, path: FilePath, descriptor: SharedDescriptor, batchCount: Int
    ) {
      self.scope = scope
      self.path = path
      self.descriptor = descriptor
      self.batchCount = batchCount
    }

    /// Begins a listing. Nothing is read before the first call of `next()`.
    public func makeAsyncIterator() -> AsyncIterator { AsyncIterator(batches: self) }

    /// Reads the batches, each on the thread pool.
    public struct AsyncIterator: AsyncIteratorProtocol {
      fileprivate let batches: LoopDirectoryBatches
      private var stream: DirectoryStream?

      fileprivate init(batches: LoopDirectoryBatches) {
        self.batches = batches
      }

      /// Returns the next batch, or nil at the end.
      ///
      /// - Throws: The error of `readdir(3)`; `ECANCELED` in a cancelled task.
      public mutating func next(
        isolation actor: isolated (any Actor)?
      ) async throws(FileError) -> [DirectoryEntry]? {
        try await nextBatch()
      }

      /// As ``next(isolation:)``, on the caller's executor.
      nonisolated(nonsending) public mutating func next() async throws(FileError)
        -> [DirectoryEntry]?
      {
        try await nextBatch()
      }

      nonisolated(nonsending) private mutating func nextBatch() async throws(FileError)
        -> [DirectoryEntry]?
      {
        let (batches, stream) = (batches, stream)
        let call = FileCall(.list, batches.path)
        let (next, entries) = try await batches.scope.outcome(
          call,
          batches.scope.onPool(call) { () throws(FileError) in
            let stream =
              if let stream { stream } else {
                try DirectoryStream(batches.descriptor.descriptor, path: batches.path)
              }
            return (stream, try stream.next(batches.batchCount))
          })
        self.stream = next
        return entries.isEmpty ? nil : entries
      }
    }
  }
#endif
