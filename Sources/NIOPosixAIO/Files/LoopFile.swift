#if NIO
  public import NIOCore
  internal import NIOPosix
  public import PosixAIO
  public import SystemPackage
  public import struct SystemPackage.FileDescriptor

  /// An open file of an event loop.
  ///
  /// Reads, writes and syncs run in the loop's completion queue: they start on the loop and
  /// complete on the loop, without a thread of a pool in between. Every call may be made on any
  /// thread. Each has two forms, one that returns a future of the loop and one that is awaited; the
  /// awaited one is cheapest in a task that runs on the loop, for example by a
  /// ``LoopTaskExecutor``.
  ///
  /// Operations of one file run in parallel and have no order among them, except that a sync covers
  /// every write that was made before it on the same thread, and that appends keep their order.
  ///
  /// **Errors** are ``/PosixAIO/FileError``s, with the operation, the path and the offset. A call
  /// that fails with `EBADF` after ``close()->()``, with `EAGAIN` over one of the limits of
  /// ``/PosixAIO/CompletionQueue/Configuration``, or with `ECANCELED` after the loop's end has
  /// started nothing.
  ///
  /// **Cancellation.** If the task of an awaited read, write or sync is cancelled, the call throws
  /// `ECANCELED` at once. Its memory stays alive until the kernel no longer uses it. The effect of
  /// a cancelled write on the file is unknown.
  ///
  /// **The end.** A file that you drop is closed after its operations in progress have ended. When
  /// its loop shuts down, they complete with `ECANCELED` unless their result is known, and every
  /// later call fails with `ECANCELED`. A file that is still open then is closed when you drop it.
  /// A future that a later call returns has failed, but NIO calls nothing that you add to it, since
  /// its loop no longer runs; the awaited forms throw.
  @safe
  public final class LoopFile: @unchecked Sendable {
    // Sendable: everything that changes is used on the loop only.

    /// The default permissions of new files: 0666, reduced by the process's umask, as for
    /// `touch(1)`.
    public static let defaultPermissions = FilePermissions(rawValue: 0o666)

    /// The loop whose futures the file returns.
    public let eventLoop: any EventLoop

    /// The path that the file was opened with.
    public let path: FilePath

    let owner: LoopQueue
    /// The file's part in the completion queue.
    let queued: AIOFile
    let pool: NIOThreadPool
    private let location: Location
    /// Whether no call on the descriptor waits for a server.
    var isLocal: Bool { location != .anywhere }
    private var closing = CloseOnce()
    /// Reads that wait for a turn of the loop.
    private var waitingReadCount = 0
    /// Of a close that waits for those reads.
    private var waitingClose: CompletionQueue.SyncHandler?

    /// How much of the work on a file's descriptor may be done on the loop's thread.
    enum Location {
      /// A call may wait for a disk or a server.
      case anywhere
      /// A regular file of a local file system, so that the kernel has its metadata in memory.
      case local
      /// The same, opened for reading only, so that closing it does not wait either.
      case localReadOnly
    }

    /// A file that a thread of the pool has opened.
    struct Opened: Sendable {
      let file: OpenedFile
      let location: Location

      init(_ file: OpenedFile, isReadOnly: Bool) {
        self.file = file
        location =
          file.status.kind == .regular && opensFromMemory(file.descriptor.descriptor)
          ? (isReadOnly ? .localReadOnly : .local) : .anywhere
      }

      /// A file that was opened on the loop.
      init(onLoop file: OpenedFile) {
        self.file = file
        location = file.status.kind == .regular ? .localReadOnly : .anywhere
      }
    }

    /// Call it on the loop.
    init(_ opened: Opened, on owner: LoopQueue, _ pool: NIOThreadPool) {
      eventLoop = owner.eventLoop
      path = opened.file.path
      self.owner = owner
      self.pool = pool
      location = opened.location
      let descriptor = opened.file.descriptor
      queued =
        location == .localReadOnly && opened.file.isInMemory
        ? AIOFile(ofCachedRegularFile: descriptor, path: path, queue: owner.queue)
        : AIOFile(descriptor, path: path, queue: owner.queue)
      queued.whenDropped = { [location, owner, pool] descriptors in
        if location == .localReadOnly, owner.isCurrent, Self.isNamed(descriptors) { return }
        // No caller is left to get the error.
        pool.submit { _ in try? descriptors.close() }
      }
    }

    // MARK: - Metadata

    /// Returns the file's metadata. Wraps `fstat(2)`, which runs on the thread pool unless the file
    /// is a regular one of a local file system.
    public func info() -> EventLoopFuture<FileStatus> {
      owner.future(FileCall(.status, path)) { [self] in startInfo($0) }
    }

    /// Returns the file's metadata, at once for a regular file of a local file system if the task
    /// runs on the loop. Wraps `fstat(2)`.
    ///
    /// - Throws: `EBADF` after ``close()->()``, `ECANCELED` after the loop's end, or the error of
    ///   `fstat(2)`.
    nonisolated(nonsending) public func info() async throws(FileError) -> FileStatus {
      if owner.isCurrent, isLocal { return try infoNow() }
      return try await owner.uncancelledOutcome(FileCall(.status, path)) { [self] in startInfo($0) }
    }

    func startInfo(_ done: @escaping Completion<FileStatus>) {
      guard !isLocal else {
        return done(Result { () throws(FileError) in try infoNow() })
      }
      let path = path
      offload(
        FileCall(.status, path),
        { (descriptor) throws(FileError) in
          try FileSystemCalls.status(of: descriptor, path: path)
        }, done)
    }

    private func infoNow() throws(FileError) -> FileStatus {
      let number: Int32
      do throws(Errno) {
        number = try queued.currentDescriptor()
      } catch {
        throw FileError(operation: .status, path: path, errno: error)
      }
      return try FileSystemCalls.status(of: FileDescriptor(rawValue: number), path: path)
    }

    /// Runs a call on the file's descriptor on the thread pool, and keeps the descriptor open
    /// meanwhile.
    func offload<Value: Sendable>(
      _ call: FileCall, _ body: @escaping @Sendable (FileDescriptor) throws(FileError) -> Value,
      _ done: @escaping Completion<Value>
    ) {
      let use: SharedDescriptor.Use
      do throws(Errno) {
        use = try queued.lendDescriptor()
      } catch {
        return done(.failure(call.error(error)))
      }
      owner.calls.run(call, on: pool) { () throws(FileError) in
        try body(use.descriptor)
      } _: { [queued] result in
        done(result)
        // After the result, so that it precedes the result of a close.
        queued.giveBackDescriptor()
      }
    }

    // MARK: - Close

    /// Closes the file after its operations in progress have ended. Wraps `close(2)`.
    ///
    /// A file that was opened for reading is closed on the loop, if it is a regular one of a local
    /// file system and still has a name. Other files are closed on the thread pool, because that
    /// may wait for a server or a disk.
    ///
    /// Closing again does nothing, and returns the outcome of the first close.
    ///
    /// - Returns: A future that fails if data of earlier writes may be lost, as on a network file
    ///   system; the descriptor is released all the same. `ECANCELED` means that the loop has
    ///   ended: then the descriptor is closed when it is no longer in use.
    public func close() -> EventLoopFuture<Void> {
      owner.future(FileCall(.close, path)) { [self] in startClose($0) }
    }

    /// Closes the file after its operations in progress have ended, also in a cancelled task. Wraps
    /// `close(2)`; the form that returns a future says more.
    ///
    /// - Throws: An error if data of earlier writes may be lost; the descriptor is released all the
    ///   same. `ECANCELED` means that the loop has ended: then the descriptor is closed when it is
    ///   no longer in use.
    nonisolated(nonsending) public func close() async throws(FileError) {
      if owner.isCurrent {
        var result: Result<Void, FileError>?
        startClose { result = $0 }
        if let result { return try result.get() }
      }
      // If it has begun, this returns its outcome.
      try await owner.uncancelledOutcome(FileCall(.close, path)) { [self] in startClose($0) }
    }

    private func startClose(_ done: @escaping CompletionQueue.SyncHandler) {
      guard closing.begin(done, whenOver: { done($0) }) else { return }
      if waitingReadCount > 0 { waitingClose = done } else { detach(done) }
    }

    private func detach(_ done: @escaping CompletionQueue.SyncHandler) {
      if let descriptors = queued.detachAllNow() { return close(descriptors, done) }
      queued.detachAll { [self] descriptors in close(descriptors, done) }
    }

    /// A read waits for a turn of the loop, so that the queue does not know of it yet.
    func readWillWait() {
      waitingReadCount += 1
    }

    /// A read that waited has been resumed.
    func readDidWait() {
      waitingReadCount -= 1
      guard waitingReadCount == 0, waitingClose != nil else { return }
      // After the task that was resumed, since NIO keeps the order.
      eventLoop.assumeIsolated().execute { [self] in
        guard waitingReadCount == 0, let done = waitingClose.take() else { return }
        detach(done)
      }
    }

    private func close(
      _ descriptors: ClosingDescriptors, _ done: @escaping CompletionQueue.SyncHandler
    ) {
      let path = path
      let isQuick = location == .localReadOnly && Self.isNamed(descriptors)
      if isQuick || descriptors.first == nil {
        return closed(
          Result { () throws(FileError) in
            try FileSystemCalls.close(descriptors, path: path)
          }, done)
      }
      owner.calls.run(FileCall(.close, path), on: pool) { () throws(FileError) in
        try FileSystemCalls.close(descriptors, path: path)
      } _: { [self] result in
        closed(result, done)
      }
    }

    private func closed(_ result: Result<Void, FileError>, _ done: CompletionQueue.SyncHandler) {
      let others = closing.end(result)
      done(result)
      for other in others { other(result) }
    }

    private static func isNamed(_ descriptors: ClosingDescriptors) -> Bool {
      descriptors.first.map { FileSystemCalls.hasName($0) } ?? false
    }
  }
#endif
