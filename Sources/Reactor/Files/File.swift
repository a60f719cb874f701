internal import Glibc
public import PosixAIO
public import SystemPackage

/// An open file of a loop.
///
/// Reads, writes and syncs use the loop's completion queue. Opening, closing and metadata calls
/// block, so they run on a helper thread. Handlers are called on the loop's thread, and never
/// inside the call that started the work. A refused call fails like any other; ``EventLoop``
/// describes when its handler is called.
///
/// A file does not keep its loop alive. If the loop ends first, work in progress completes as
/// ``EventLoop`` describes, and further calls fail with `ECANCELED`. When you drop a file, it is
/// closed after its work in progress has completed.
///
/// ```swift
/// File.open("notes.txt", .readOnly, on: loop) { result in
///   guard case .success(let file) = result else { return }
///   …
/// }
/// ```
@safe
public final class File: @unchecked Sendable {
  /// The default permissions of new files: 0666, reduced by the process's umask, as for `touch(1)`.
  public static let defaultPermissions = FilePermissions(rawValue: 0o666)

  let core: LoopCore

  /// The path that the file was opened with.
  public let path: FilePath

  /// The file's metadata at the time it was opened.
  public let openingStatus: FileStatus

  /// The file's part in the completion queue.
  let queued: AIOFile

  /// Whether data is always copied on its way to a socket, because sending without a copy does not
  /// work: the file system does not support it, or the process may not query the page cache.
  var isCopiedAlways = false

  /// A range that was read recently; nil if the kernel reports what is in the page cache.
  var provenRange: ProvenRange?

  /// Whether cached reads are not tried, because the kernel has refused them for this file.
  var refusesCachedReads = false
  /// What was locked by this file; made with its first lock.
  lazy var locks = FileLocks()
  private let isInMemory: Bool
  private var closing = CloseOnce()
  var writesBeingRefused = WritesBeingRefused()

  /// The loop that runs the file's operations.
  public var loop: EventLoop { core.loop }

  /// A file that a helper thread has opened and passes to the loop. It is closed if it does not
  /// arrive.
  struct Opened: Sendable {
    let descriptor: SharedDescriptor
    let path: FilePath
    let status: FileStatus
    /// Whether it is a local file, opened read-only without a helper thread.
    let isInMemory: Bool

    /// Queries the descriptor's metadata; on failure closes the descriptor.
    init(
      _ descriptor: FileDescriptor, path: FilePath, isInMemory: Bool = false,
      regularOnly: Bool = false
    ) throws(FileError) {
      self.descriptor = SharedDescriptor(descriptor)
      self.path = path
      self.isInMemory = isInMemory
      status = try FileSystemCalls.status(of: descriptor, path: path)
      guard regularOnly, status.kind != .regular else { return }
      let errno = status.kind == .directory ? Errno.isDirectory : .invalidArgument
      throw FileError(operation: .open, path: path, errno: errno)
    }

    /// The flags of `open(2)`. Those for a regular file keep it from waiting for the other side of
    /// a pipe, and from making a terminal the process's own.
    static func flags(
      _ mode: FileDescriptor.AccessMode, _ options: FileDescriptor.OpenOptions, regularOnly: Bool
    ) -> Int32 {
      mode.rawValue | options.rawValue | (regularOnly ? O_NONBLOCK | O_NOCTTY : 0)
    }
  }

  init(_ opened: Opened, on core: LoopCore) {
    self.core = core
    path = opened.path
    openingStatus = opened.status
    isInMemory = opened.isInMemory
    queued =
      opened.isInMemory && opened.status.kind == .regular
      ? AIOFile(ofCachedRegularFile: opened.descriptor, path: opened.path, queue: core.queue)
      : AIOFile(opened.descriptor, path: opened.path, queue: core.queue)
    guard !isInMemory else { return }
    queued.whenDropped = { [weak core] descriptors in core?.drop(descriptors) }
  }

  /// A second file over a descriptor that another file has lent, for reading after that file is
  /// closed.
  init(lentFrom file: File, _ use: SharedDescriptor.Use) {
    core = file.core
    path = file.path
    openingStatus = file.openingStatus
    isInMemory = file.isInMemory
    queued = AIOFile(use, path: path, queue: core.queue)
  }

  /// Opens a file on a helper thread. Wraps `open(2)`, with `O_CLOEXEC`.
  ///
  /// - Parameters:
  ///   - path: Relative to the process's working directory, or absolute.
  ///   - mode: Reading, writing or both.
  ///   - options: Further flags, such as `.create`.
  ///   - permissions: The permissions of a new file, reduced by the process's umask.
  ///   - regularOnly: Whether to open nothing but a regular file: `EISDIR` for a directory,
  ///     `EINVAL` for a pipe or a device, and `ENXIO` for a socket, or for writing to a pipe
  ///     without a reader. The call does not wait for the other side of a pipe then. By default,
  ///     opening a pipe occupies a helper thread until it has another side.
  ///   - loop: The loop to use; call on its thread.
  ///   - handler: Receives the open file, or the error of `open(2)`.
  public static func open(
    _ path: FilePath, _ mode: FileDescriptor.AccessMode,
    options: FileDescriptor.OpenOptions = [],
    permissions: FilePermissions = File.defaultPermissions, regularOnly: Bool = false,
    on loop: EventLoop, _ handler: @escaping (Result<File, FileError>) -> Void
  ) {
    let flags = Opened.flags(mode, options, regularOnly: regularOnly)
    let core = loop.core
    core.offloadCall(as: .open, path) { () throws(FileError) in
      let descriptor = try FileSystemCalls.open(
        .anywhere(path), flags: flags, permissions: permissions)
      return try Opened(descriptor, path: path, regularOnly: regularOnly)
    } _: { result in
      handler(result.map { File($0, on: core) })
    }
  }

  /// Fills a buffer from its start; its valid bytes are lost. Data in the page cache is read
  /// immediately (`preadv2(2)` with `RWF_NOWAIT`), other data by `aio_read(3)`'s operation.
  ///
  /// - Parameters:
  ///   - buffer: Consumed; returned with the completion, with `count` set to the bytes read.
  ///   - byteCount: The most bytes to read. The default is the buffer's capacity, which is also the
  ///     maximum.
  ///   - offset: In bytes from the file's start, 0 or more.
  ///   - timeout: The longest time to wait for the completion, more than 0. After it the request
  ///     completes with `ETIMEDOUT`, and with an empty buffer of capacity 0 if the kernel still
  ///     uses the memory.
  ///   - handler: Called once with the number of bytes read: fewer than requested at the end of the
  ///     file, 0 after it. If nothing was started, it receives the unchanged buffer with `EBADF`
  ///     after ``close(_:)``, `EINVAL` for an offset that is negative or that exceeds `Int64.max`
  ///     together with the byte count, `ENOBUFS` for a buffer of capacity 0, which would look like
  ///     the end of the file, `EAGAIN` over one of the queue's limits, or `ECANCELED` when the loop
  ///     is cut off or has ended.
  /// - Returns: The request's ID, for ``/PosixAIO/CompletionQueue/cancel(_:abandoning:)`` of the
  ///   loop's queue. Cancelling a refused request does nothing.
  @discardableResult
  public func read(
    into buffer: consuming IOBuffer, byteCount: Int? = nil, at offset: Int64,
    timeout: Duration? = nil, _ handler: @escaping CompletionQueue.TransferHandler
  ) -> RequestID {
    if let refusal = core.refusal {
      core.refuse(.read, path, at: offset, refusal, buffer, handler)
      return .refused
    }
    return queued.read(
      into: buffer, byteCount: byteCount, at: offset, timeout: timeout, handler
    ) { reason, buffer in
      core.refuse(.read, path, at: offset, reason, buffer, handler)
    }
  }

  /// Writes the buffer's valid bytes until all are written or the kernel reports an error. Wraps
  /// `aio_write(3)`'s operation.
  ///
  /// - Parameters:
  ///   - buffer: Consumed; returned unchanged with the completion.
  ///   - offset: In bytes from the file's start, 0 or more. Ignored if the file was opened with
  ///     `.append`.
  ///   - timeout: As for ``read(into:byteCount:at:timeout:_:)``. A write in progress is not undone.
  ///   - handler: Called once with the number of bytes written; an error includes that number.
  ///     Refusals are as for a read; of empty buffers, only the one that a handler gets after a
  ///     timeout is refused.
  /// - Returns: The request's ID, as for a read.
  @discardableResult
  public func write(
    _ buffer: consuming IOBuffer, at offset: Int64, timeout: Duration? = nil,
    _ handler: @escaping CompletionQueue.TransferHandler
  ) -> RequestID {
    if let refusal = core.refusal {
      core.refuse(.write, path, at: offsetOfWrite(offset), refusal, buffer, handler)
      return .refused
    }
    return queued.write(buffer, at: offset, timeout: timeout, handler) { reason, buffer in
      writesBeingRefused.add(reason)
      core.refuse(.write, path, at: offsetOfWrite(offset), reason, buffer) {
        [self] result, buffer in
        writesBeingRefused.remove()
        handler(result, buffer)
      }
    }
  }

  /// The offset in the error of a write; nil for a file that appends.
  func offsetOfWrite(_ offset: Int64) -> Int64? {
    queued.appends ? nil : offset
  }

  /// Makes data and metadata durable, after all writes that were accepted before. Wraps
  /// `aio_fsync(3)` with `O_SYNC`.
  ///
  /// You may call this directly after a write. It fails if that write was refused: until the
  /// write's handler is called, syncs fail with the same error.
  ///
  /// After a failed write or sync, all further syncs of this file fail until it is opened again. To
  /// make the name of a new file durable, call ``Directory/sync(_:)`` on its directory.
  ///
  /// - Parameters:
  ///   - timeout: As for ``read(into:byteCount:at:timeout:_:)``.
  ///   - handler: Called once with the result. If nothing was started, the error is `EBADF` after
  ///     ``close(_:)``, `EAGAIN` over one of the limits, or `ECANCELED` when the loop is cut off or
  ///     has ended.
  /// - Returns: The request's ID, as for a read.
  @discardableResult
  public func sync(
    timeout: Duration? = nil, _ handler: @escaping CompletionQueue.SyncHandler
  ) -> RequestID {
    core.starting(.sync, path, handler) { () throws(Errno) in
      try writesBeingRefused.check()
      return try queued.sync(timeout: timeout, handler)
    }
  }

  /// As ``sync(timeout:_:)``, but includes only the metadata needed to read the data back. Wraps
  /// `aio_fsync(3)` with `O_DSYNC`.
  @discardableResult
  public func dataSync(
    timeout: Duration? = nil, _ handler: @escaping CompletionQueue.SyncHandler
  ) -> RequestID {
    core.starting(.dataSync, path, handler) { () throws(Errno) in
      try writesBeingRefused.check()
      return try queued.dataSync(timeout: timeout, handler)
    }
  }

  /// Closes the file after all its requests have completed. Runs on a helper thread, except for
  /// files that were opened without one. Wraps `close(2)`.
  ///
  /// Accepted requests complete, and their handlers are called first. A file that you drop without
  /// a close is closed in the same way, and errors are not reported.
  ///
  /// A close is never refused: no limit applies to it, and it works while the loop is being cut
  /// off. After the loop's end the handler is called before this returns. Closing again does
  /// nothing and receives the result of the first close.
  ///
  /// - Parameter handler: Called once. An error means that data of earlier writes may be lost, as
  ///   on a network file system; the descriptor is released nevertheless. `ECANCELED` means that
  ///   the loop was cut off first: the descriptor is closed when it is no longer in use.
  public func close(_ handler: @escaping CompletionQueue.SyncHandler = { _ in }) {
    guard !core.hasEnded else { return handler(core.afterEnd { closeAfterEnd() }) }
    core.checkThread()
    guard closing.begin(handler, on: core) else { return }
    let path = path
    queued.detachAll { [self] descriptors in
      let isQuick = isInMemory && descriptors.first.map { FileSystemCalls.hasName($0) } ?? false
      if isQuick {
        return closed(
          Result { () throws(FileError) in
            try FileSystemCalls.close(descriptors, path: path)
          }, handler)
      }
      core.offloadCall(isCleanUp: true, as: .close, path) { () throws(FileError) in
        try FileSystemCalls.close(descriptors, path: path)
      } _: { [self] result in
        closed(result, handler)
      }
    }
  }

  private func closed(
    _ result: Result<Void, FileError>, _ handler: CompletionQueue.SyncHandler
  ) {
    let others = closing.end(result)
    handler(result)
    for other in others { other(result) }
  }

  /// The queue has ended, so it returns the descriptors at once.
  private func closeAfterEnd() -> Result<Void, FileError> {
    closing.outcomeAfterEnd {
      var given: ClosingDescriptors?
      queued.detachAll { given = $0 }
      guard let descriptors = given else {
        trap("File: a queue that has ended returns descriptors at once")
      }
      return Result { () throws(FileError) in try FileSystemCalls.close(descriptors, path: path) }
    }
  }

  /// Runs a call on the file's descriptor on a helper thread, and keeps the descriptor open
  /// meanwhile.
  ///
  /// - Parameters:
  ///   - name: For messages; nil is the file's path.
  ///   - completion: Also receives `EBADF` after ``close(_:)``, and `ECANCELED` after the loop's
  ///     end.
  func offload<Value: Sendable>(
    as operation: FileError.Operation, named name: FilePath? = nil,
    _ work: @escaping @Sendable (FileDescriptor) throws(FileError) -> Value,
    _ completion: @escaping (Result<Value, FileError>) -> Void
  ) {
    let path = name ?? path
    let descriptor: SharedDescriptor.Use
    do throws(Errno) {
      try core.checkUse()
      descriptor = try queued.lendDescriptor()
    } catch {
      return core.refuse(operation, path, error, completion)
    }
    core.offloadCall(as: operation, path) { () throws(FileError) in
      try work(descriptor.descriptor)
    } _: { [queued] result in
      completion(result)
      // After the handler, so that it precedes the handler of a close.
      queued.giveBackDescriptor()
    }
  }
}

/// Refused writes whose handlers were not called yet. A sync must not succeed meanwhile, since its
/// caller may rely on its result alone.
struct WritesBeingRefused {
  private var count = 0
  private var reason = Errno.canceled

  mutating func add(_ reason: Errno) {
    if count == 0 { self.reason = reason }
    count += 1
  }

  mutating func remove() {
    count -= 1
  }

  func check() throws(Errno) {
    if count > 0 { throw reason }
  }
}

extension LoopCore {
  /// Releases descriptors on a helper thread: closing them may wait for a server or a disk.
  fileprivate func drop(_ descriptors: ClosingDescriptors) {
    // At the loop's end no thread is left to wait for it.
    guard thread.isCurrent, !hasEnded else { return }
    helpers.run(.fileCall, isCleanUp: true) {
      withExtendedLifetime(descriptors) {}
    } _: { _ in
    }
  }
}
