internal import Glibc
public import SystemPackage

/// An open file whose operations run through a ``CompletionQueue``.
///
/// Any number of operations may be in flight. Reads and writes of different places have no order
/// among them; a sync comes after every write that was accepted before it.
///
/// A file belongs to its queue's thread.
@safe
public final class AIOFile {
  /// The queue that runs the file's operations.
  public let queue: CompletionQueue

  /// The path as the file was opened, for messages; nil if it is not known.
  public let path: FilePath?

  /// The descriptor number, until the file is closed.
  private(set) var rawDescriptor: Int32

  /// Requests and doorbells that have not ended.
  var unfinishedCount = 0
  var barrier = SyncBarrier()
  private var parkedDetach: RequestRef?
  private var isOpen = true

  /// Takes over an open descriptor.
  ///
  /// - Parameters:
  ///   - descriptor: Of a file; pipes and sockets block one of glibc's few helper threads for as
  ///     long as they have nothing to say. It is the file's to close.
  ///   - path: For error messages.
  ///   - queue: Runs the operations.
  public init(_ descriptor: FileDescriptor, path: FilePath? = nil, queue: CompletionQueue) {
    rawDescriptor = descriptor.rawValue
    self.path = path
    self.queue = queue
  }

  deinit {
    // Requests hold the file, so none is unfinished. A descriptor that nobody closed is closed here.
    if rawDescriptor >= 0 { Glibc.close(rawDescriptor) }
  }

  /// Fills a buffer from the file. Wraps `aio_read(3)`'s operation.
  ///
  /// - Parameters:
  ///   - buffer: Moves in; comes back with the completion, `count` set to the bytes read.
  ///   - byteCount: The most bytes to read, at most the buffer's capacity, which is the default.
  ///   - offset: Where in the file, in bytes from its start, 0 or more.
  ///   - handler: Gets the number of bytes that the kernel read: fewer than asked at the end of the
  ///     file, 0 behind it.
  /// - Throws: `EBADF` after ``close(_:)`` or ``detach(_:)``, `EINVAL` for a negative offset,
  ///   `EAGAIN` over the queue's waiting limit. Nothing was started, the handler is not called, and
  ///   the buffer is gone; ask ``CompletionQueue/remainingCapacity`` first to keep it.
  public func read(
    into buffer: consuming IOBuffer, byteCount: Int? = nil, at offset: Int64,
    _ handler: @escaping CompletionQueue.TransferHandler
  ) throws(Errno) {
    let byteCount = byteCount ?? buffer.capacity
    precondition(
      byteCount >= 0 && byteCount <= buffer.capacity,
      "AIOFile: byteCount is at most the buffer's capacity")
    try transfer(.read, buffer, byteCount: byteCount, at: offset, handler)
  }

  /// Writes the buffer's valid bytes. Wraps `aio_write(3)`'s operation.
  ///
  /// A short write is continued until all bytes are written or the kernel gives an error, which
  /// then says how many bytes were written before it.
  ///
  /// - Parameters:
  ///   - buffer: Moves in; comes back with the completion, unchanged.
  ///   - offset: Where in the file, in bytes from its start, 0 or more. A file opened with
  ///     `O_APPEND` ignores it.
  ///   - handler: Gets the number of bytes written, all of them.
  /// - Throws: As ``read(into:byteCount:at:_:)``.
  public func write(
    _ buffer: consuming IOBuffer, at offset: Int64,
    _ handler: @escaping CompletionQueue.TransferHandler
  ) throws(Errno) {
    let byteCount = buffer.count
    try transfer(.write, buffer, byteCount: byteCount, at: offset, handler)
  }

  /// Brings data and metadata to the disk. Wraps `aio_fsync(3)` with `O_SYNC`.
  ///
  /// - Parameter handler: Called when every write that was accepted before is done and durable.
  /// - Throws: `EBADF` after ``close(_:)``, `EAGAIN` over the waiting limit. Nothing was started.
  public func sync(_ handler: @escaping CompletionQueue.SyncHandler) throws(Errno) {
    try sync(.sync, handler)
  }

  /// As ``sync(_:)``, but of the metadata only what is needed to read the data back. Wraps
  /// `aio_fsync(3)` with `O_DSYNC`.
  public func dataSync(_ handler: @escaping CompletionQueue.SyncHandler) throws(Errno) {
    try sync(.dataSync, handler)
  }

  /// Closes the descriptor as soon as no operation needs it. Wraps `close(2)`.
  ///
  /// Operations accepted before run to their end and have their handlers called first; new ones are
  /// refused with `EBADF`. `close(2)` may block; ``detach(_:)`` leaves it to the caller.
  ///
  /// - Parameter handler: Called once, from `drain`.
  public func close(_ handler: @escaping CompletionQueue.SyncHandler = { _ in }) {
    let path = path
    detach { descriptor in
      let reason = Glibc.close(descriptor.rawValue) == 0 ? 0 : errno
      handler(
        reason == 0
          ? .success(())
          : .failure(FileError(operation: .close, path: path, errno: Errno(rawValue: reason))))
    }
  }

  /// Gives the descriptor back as soon as no operation needs it. New operations are refused with
  /// `EBADF`.
  ///
  /// - Parameter handler: Called once, from `drain`, with the descriptor, which is the caller's to
  ///   close.
  public func detach(_ handler: @escaping (FileDescriptor) -> Void) {
    precondition(isOpen, "AIOFile: a file is closed or detached only once")
    isOpen = false
    queue.acceptAlways { request in
      request.kind = .detach
      request.file = self
      request.handler = .detach(handler)
    }
  }

  // MARK: - Requests

  func requestEnded() {
    unfinishedCount -= 1
    finishDetachIfLast()
  }

  func park(detach request: RequestRef) {
    parkedDetach = request
    finishDetachIfLast()
  }

  private func finishDetachIfLast() {
    guard unfinishedCount == 1, let request = parkedDetach else { return }
    parkedDetach = nil
    queue.finish(request)
  }

  func surrenderDescriptor() -> FileDescriptor {
    defer { rawDescriptor = -1 }
    return FileDescriptor(rawValue: rawDescriptor)
  }

  private func transfer(
    _ kind: Request.Kind, _ buffer: consuming IOBuffer, byteCount: Int, at offset: Int64,
    _ handler: @escaping CompletionQueue.TransferHandler
  ) throws(Errno) {
    guard isOpen else { throw .badFileDescriptor }
    guard offset >= 0 else { throw .invalidArgument }
    guard queue.remainingCapacity > 0 else { throw .resourceTemporarilyUnavailable }
    let validCount = buffer.count
    let memory = unsafe buffer.relinquish()
    try queue.accept { request in
      request.kind = kind
      request.file = self
      request.handler = .transfer(handler)
      unsafe request.memory = memory
      request.validCount = validCount
      request.offset = offset
      request.byteCount = byteCount
    }
  }

  private func sync(
    _ kind: Request.Kind, _ handler: @escaping CompletionQueue.SyncHandler
  ) throws(Errno) {
    guard isOpen else { throw .badFileDescriptor }
    try queue.accept { request in
      request.kind = kind
      request.file = self
      request.handler = .sync(handler)
    }
  }
}
