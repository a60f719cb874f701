public import PosixAIO
public import SystemPackage

/// An open file of a loop.
///
/// Reads, writes and syncs go through the loop's completion queue; opening, closing and asking for
/// metadata block, so they run on a helper thread. Handlers are called on the loop's thread, and
/// never from inside the call that started the work. A call that is refused fails like any other:
/// ``EventLoop`` says when its handler is called.
///
/// A file does not keep its loop. When that ends first, what is in progress is answered as
/// ``EventLoop`` says, and later calls fail with `ECANCELED`. A file that is dropped is closed when
/// nothing of it is in progress any more.
///
/// ```swift
/// File.open("notes.txt", .readOnly, on: loop) { result in
///   guard case .success(let file) = result else { return }
///   …
/// }
/// ```
@safe
public final class File: @unchecked Sendable {
  /// The permissions of a file that is made, by default: reading and writing for everybody (0666),
  /// of which the process's umask takes some off, as of those of `touch(1)`.
  public static let defaultPermissions = FilePermissions(rawValue: 0o666)

  let core: LoopCore

  /// The path as the file was opened.
  public let path: FilePath

  /// The file's metadata at the moment when it was opened.
  public let openingStatus: FileStatus

  /// Its side in the completion queue.
  let queued: AIOFile

  /// Whether its bytes are copied on their way to a socket, since something else does not work with
  /// it: the file system has no such call, or the process may not ask what is cached.
  var isCopiedAlways = false

  /// What was read of it a moment ago; nil where the kernel says itself what is in the page cache.
  var provenRange: ProvenRange?

  /// Whether its bytes are not asked for in the page cache, since the kernel has refused that.
  var refusesCachedReads = false
  private let isInMemory: Bool
  private var closing = CloseOnce()
  var writesBeingRefused = WritesBeingRefused()

  /// The loop that runs the file's operations.
  public var loop: EventLoop { core.loop }

  /// A file as a helper thread opened it, on the way to the loop. It is closed if it does not get
  /// there.
  struct Opened: Sendable {
    let descriptor: SharedDescriptor
    let path: FilePath
    let status: FileStatus
    /// Whether it is a local file, opened for reading alone without a helper thread.
    let isInMemory: Bool

    /// Asks for the metadata of a descriptor, and closes that if there is none.
    init(
      _ descriptor: FileDescriptor, path: FilePath, isInMemory: Bool = false
    ) throws(FileError) {
      self.descriptor = SharedDescriptor(descriptor)
      self.path = path
      self.isInMemory = isInMemory
      status = try FileSystemCalls.status(of: descriptor, path: path)
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

  /// A file of its own over the descriptor that another one has lent, to read on when that is
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
  ///   - mode: For reading, writing or both.
  ///   - options: Further flags, such as `.create`.
  ///   - permissions: Of a file that is made; the process's umask is taken off.
  ///   - loop: Whose thread this is.
  ///   - handler: Gets the open file, or what `open(2)` said.
  public static func open(
    _ path: FilePath, _ mode: FileDescriptor.AccessMode,
    options: FileDescriptor.OpenOptions = [],
    permissions: FilePermissions = File.defaultPermissions,
    on loop: EventLoop, _ handler: @escaping (Result<File, FileError>) -> Void
  ) {
    let flags = mode.rawValue | options.rawValue
    let core = loop.core
    core.offloadCall(as: .open, path) { () throws(FileError) in
      let descriptor = try FileSystemCalls.open(
        .anywhere(path), flags: flags, permissions: permissions)
      return try Opened(descriptor, path: path)
    } _: { result in
      handler(result.map { File($0, on: core) })
    }
  }

  /// Fills a buffer from its start; the bytes that were valid are lost. What is in the page cache is read at once (`preadv2(2)` with
  /// `RWF_NOWAIT`), the rest by `aio_read(3)`'s operation.
  ///
  /// - Parameters:
  ///   - buffer: Moves in; comes back with the completion, `count` set to the bytes read.
  ///   - byteCount: The most bytes to read, at most the buffer's capacity, which is the default.
  ///   - offset: Where in the file, in bytes from its start, 0 or more.
  ///   - timeout: The longest to wait for the completion, more than 0; then it comes with
  ///     `ETIMEDOUT`, and with an empty buffer of capacity 0 if the kernel has the memory still.
  ///   - handler: Called once. Gets the number of bytes read: fewer than asked at the end of the
  ///     file, 0 after it. Where nothing was started, it gets the buffer back as it was, with
  ///     `EBADF` after ``close(_:)``, `EINVAL` for a negative offset, `ENOBUFS` for a buffer of
  ///     capacity 0, which would look like the end of the file, `EAGAIN` over one of the
  ///     queue's limits, or `ECANCELED` when the loop is cut off or has ended.
  /// - Returns: A name for the request, for ``/PosixAIO/CompletionQueue/cancel(_:abandoning:)``
  ///   of the loop's queue. Cancelling a request that was refused does nothing.
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

  /// Writes the buffer's valid bytes, all of them or until the kernel gives an error. Wraps
  /// `aio_write(3)`'s operation.
  ///
  /// - Parameters:
  ///   - buffer: Moves in; comes back with the completion, unchanged.
  ///   - offset: Where in the file, in bytes from its start, 0 or more. A file opened with
  ///     `.append` ignores it.
  ///   - timeout: As for ``read(into:byteCount:at:timeout:_:)``. A write that runs is not undone.
  ///   - handler: Called once. Gets the number of bytes written; a failure says how many were.
  ///     Refused as a read is. Of empty buffers, only the one that a handler gets after a time-out
  ///     is refused.
  /// - Returns: A name for the request, as for a read.
  @discardableResult
  public func write(
    _ buffer: consuming IOBuffer, at offset: Int64, timeout: Duration? = nil,
    _ handler: @escaping CompletionQueue.TransferHandler
  ) -> RequestID {
    if let refusal = core.refusal {
      core.refuse(.write, path, at: placeOfWrite(offset), refusal, buffer, handler)
      return .refused
    }
    return queued.write(buffer, at: offset, timeout: timeout, handler) { reason, buffer in
      writesBeingRefused.add(reason)
      core.refuse(.write, path, at: placeOfWrite(offset), reason, buffer) {
        [self] result, buffer in
        writesBeingRefused.remove()
        handler(result, buffer)
      }
    }
  }

  /// What an error of a write tells as its place: what is appended has none.
  func placeOfWrite(_ offset: Int64) -> Int64? {
    queued.appends ? nil : offset
  }

  /// Brings data and metadata to the disk, after every write that was accepted before. Wraps
  /// `aio_fsync(3)` with `O_SYNC`.
  ///
  /// A sync may follow its writes at once. It does not succeed when one of them was refused: until
  /// the handler of that write is called, syncs fail with the same error.
  ///
  /// After a failed write or sync every later sync of this file fails, until it is opened anew. The
  /// name of a file that was just made is durable after ``Directory/sync(_:)`` of its directory.
  ///
  /// - Parameters:
  ///   - timeout: As for ``read(into:byteCount:at:timeout:_:)``.
  ///   - handler: Called once. Gets the outcome; where nothing was started, `EBADF` after
  ///     ``close(_:)``, `EAGAIN` over one of the limits, or `ECANCELED` when the loop is cut off or
  ///     has ended.
  /// - Returns: A name for the request, as for a read.
  @discardableResult
  public func sync(
    timeout: Duration? = nil, _ handler: @escaping CompletionQueue.SyncHandler
  ) -> RequestID {
    core.starting(.sync, path, handler) { () throws(Errno) in
      try writesBeingRefused.check()
      return try queued.sync(timeout: timeout, handler)
    }
  }

  /// As ``sync(timeout:_:)``, but of the metadata only what is needed to read the data back. Wraps
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

  /// Closes the file when nothing of it is in flight any more, on a helper thread unless it was
  /// opened without one. Wraps `close(2)`.
  ///
  /// What was accepted before runs to its end, and its handlers come first. A file that is dropped
  /// without this is closed in the same way, and nobody is told of an error.
  ///
  /// Nothing refuses a close: it is over no limit, and it closes also when the loop is being cut
  /// off. After the loop's end the handler is called at once, before this returns. Closing a second
  /// time closes nothing, and gets the outcome of the first.
  ///
  /// - Parameter handler: Called once. An error means that data of earlier writes may be lost, as
  ///   on a network file system; the descriptor is gone all the same. `ECANCELED` means that the
  ///   loop was cut off first: the descriptor is closed as soon as nothing uses it.
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

  /// The queue has ended, so it gives the descriptors back at once.
  private func closeAfterEnd() -> Result<Void, FileError> {
    closing.outcomeAfterEnd {
      var given: ClosingDescriptors?
      queued.detachAll { given = $0 }
      guard let descriptors = given else {
        trap("File: a queue that has ended gives descriptors back at once")
      }
      return Result { () throws(FileError) in try FileSystemCalls.close(descriptors, path: path) }
    }
  }

  /// Runs a call on the file's descriptor on a helper thread, and keeps that open meanwhile.
  ///
  /// - Parameters:
  ///   - name: For messages; nil is the file's path.
  ///   - completion: Also gets `EBADF` after ``close(_:)``, and `ECANCELED` after the loop's end.
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
      // After the handler, so that it comes before that of a close.
      queued.giveBackDescriptor()
    }
  }
}

/// Writes that were refused and whose handlers were not called yet. A sync must not succeed
/// meanwhile, since its caller may count on it alone.
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
  /// Lets go of descriptors on a helper thread: closing them may wait for a server or a disk.
  fileprivate func drop(_ descriptors: ClosingDescriptors) {
    // At the loop's end there is no thread left to wait for it.
    guard thread.isCurrent, !hasEnded else { return }
    helpers.run(.fileCall, isCleanUp: true) {
      withExtendedLifetime(descriptors) {}
    } _: { _ in
    }
  }
}
