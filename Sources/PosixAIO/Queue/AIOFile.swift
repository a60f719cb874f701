internal import Glibc
public import SystemPackage

/// An open file whose operations run through a ``CompletionQueue``.
///
/// Any number of operations may be in flight. Reads and writes have no order among them, except
/// that what is appended stands in the order in which it was accepted; a sync comes after every
/// write that was accepted before it.
///
/// **After a failure.** When a write or a sync has failed, every later sync of the file fails with
/// the same error until the file is opened anew: the kernel may have dropped the data, and reports
/// that only once.
///
/// **The end.** A request holds its file, so that a file that is dropped with operations in
/// progress lives until they are done: they run to their end, and their handlers are called. The
/// descriptors are closed after that. ``close(_:)`` and ``detach(_:)`` tell when that is. When the
/// queue's loop ends first, unfinished requests complete with `ECANCELED`; see ``CompletionQueue``.
///
/// **Pipes, sockets, terminals.** Reads and writes run beside each other, each in the order in
/// which they were accepted, through two descriptors. Where the second cannot be had (`EMFILE`),
/// they take turns on the first: a read that waits for data then holds up writes, until a
/// descriptor is free, for which the queue asks again while something is in flight.
///
/// A file belongs to its queue's thread.
@safe
public final class AIOFile {
  /// The queue that runs the file's operations.
  public let queue: CompletionQueue

  /// The path as the file was opened, for messages; nil if it is not known.
  public let path: FilePath?

  /// Gets the descriptors of a file that goes without having been closed, which are closed when
  /// nobody refers to them any more: for an owner who does not want to wait for that on this
  /// thread.
  package var whenDropped: ((ClosingDescriptors) -> Void)?

  let traits: FileTraits
  var lanes: Lanes
  /// The descriptor that the file was made with, until it is closed or given away.
  var shared: SharedDescriptor?
  /// Keeps the descriptor open where its owner may close it.
  var use: SharedDescriptor.Use?
  /// The directions of a pipe or its like that wait for others to end.
  var heldBackSides: Set<StreamSide> = []
  /// Whether one direction waits for a descriptor of its own.
  var waitsForDescriptor = false
  var barrier = SyncBarrier()
  /// Why no sync can succeed any more, 0 for no reason.
  var failureNumber: Int32 = 0

  private let confinedBooks: Confined<Books>

  /// What every request passes through.
  private var books: Books {
    unsafeAddress { unsafe UnsafePointer(confinedBooks.address) }
    unsafeMutableAddress { unsafe confinedBooks.address }
  }

  var isOpen: Bool {
    get { books.isOpen }
    set { books.isOpen = newValue }
  }

  /// Whether reads try the page cache. Some file systems cannot say what is in it.
  var readsCacheFirst: Bool {
    get { books.readsCacheFirst }
    set { books.readsCacheFirst = newValue }
  }

  /// Accepted, not handed over, in order.
  var waiting: RequestList {
    _read { yield books.waiting }
    _modify { yield &books.waiting }
  }

  /// The writes and syncs among them, if it is a pipe or its like.
  var waitingOutput: RequestList {
    _read { yield books.waitingOutput }
    _modify { yield &books.waitingOutput }
  }

  var hasWaiting: Bool { !books.waiting.isEmpty || !books.waitingOutput.isEmpty }

  /// Whether the file is among those of the queue that have something to hand over.
  var isReady: Bool {
    get { books.isReady }
    set { books.isReady = newValue }
  }

  var counts: FileCounts {
    _read { yield books.counts }
    _modify { yield &books.counts }
  }

  var inFlightCount: Int { books.counts.inFlight }
  var writeInFlightCount: Int { books.counts.writesInFlight }
  var unfinishedCount: Int { books.counts.unfinished }

  private struct Books {
    var isOpen = true
    var readsCacheFirst: Bool
    var waiting = RequestList()
    var waitingOutput = RequestList()
    var isReady = false
    var counts = FileCounts()
    var parkedDetach: RequestRef?
    var closesWhenIdle = false
  }

  /// Whether the descriptors are to be closed with the last operation: the close that was asked for
  /// has completed with `ECANCELED`.
  var closesWhenIdle: Bool {
    get { books.closesWhenIdle }
    set { books.closesWhenIdle = newValue }
  }

  /// Whether the ``Orphanage`` has operations of the file.
  var isOrphaned = false

  /// Calls on other threads that use the descriptor; each counts as unfinished too.
  var lentCount: Int { books.counts.lent }

  /// The detach that waits for everything else of the file.
  var parkedDetach: RequestRef? {
    get { books.parkedDetach }
    set { books.parkedDetach = newValue }
  }

  /// Takes over an open descriptor.
  ///
  /// - Parameters:
  ///   - descriptor: Of a file. A pipe, socket or terminal works too, but keeps one of glibc's
  ///     helper threads for as long as it has nothing to say; see
  ///     ``CompletionQueue/Configuration/streamLimit``. It is the file's to close.
  ///   - path: For error messages.
  ///   - queue: Runs the operations.
  public convenience init(
    _ descriptor: FileDescriptor, path: FilePath? = nil, queue: CompletionQueue
  ) {
    self.init(
      SharedDescriptor(descriptor), path: path, queue: queue, FileTraits(descriptor.rawValue))
  }

  /// As ``init(_:path:queue:)``, for a descriptor that may have other owners.
  package convenience init(
    _ descriptor: SharedDescriptor, path: FilePath?, queue: CompletionQueue
  ) {
    self.init(descriptor, path: path, queue: queue, FileTraits(descriptor.rawValue))
  }

  /// As ``init(_:path:queue:)``, for a regular file that is known to be open for reading through
  /// the page cache: nobody has to ask what it is.
  package convenience init(
    ofCachedRegularFile descriptor: SharedDescriptor, path: FilePath?, queue: CompletionQueue
  ) {
    self.init(descriptor, path: path, queue: queue, .cachedRegular)
  }

  /// A file of its own over a descriptor that was lent by another one, which may be closed
  /// meanwhile.
  package convenience init(
    _ use: SharedDescriptor.Use, path: FilePath?, queue: CompletionQueue
  ) {
    self.init(use.shared, path: path, queue: queue, FileTraits(use.rawValue))
    self.use = use
  }

  private init(
    _ descriptor: SharedDescriptor, path: FilePath?, queue: CompletionQueue, _ traits: FileTraits
  ) {
    self.path = path
    self.queue = queue
    self.traits = traits
    shared = descriptor
    lanes = Lanes(
      descriptor.rawValue,
      limit: traits.isStream
        ? min(traits.isTwoWay ? 2 : 1, queue.configuration.lanesPerFile)
        : queue.configuration.lanesPerFile)
    confinedBooks = Confined(
      Books(
        readsCacheFirst: queue.configuration.readsCacheFirst && traits.isRegular
          && !traits.isDirect))
  }

  deinit {
    // Requests hold the file, so none is unfinished. What nobody closed is closed here; the first
    // descriptor when the last call that borrowed it is over.
    let duplicates = lanes.takeDuplicates()
    guard let whenDropped, let shared else {
      for duplicate in duplicates { Glibc.close(duplicate) }
      return
    }
    whenDropped(ClosingDescriptors(shared, duplicates: duplicates))
  }

  /// Fills a buffer from the file. Wraps `preadv2(2)` with `RWF_NOWAIT`, and `aio_read(3)`'s
  /// operation for what that does not give.
  ///
  /// - Parameters:
  ///   - buffer: Moves in; comes back with the completion, `count` set to the bytes read.
  ///   - byteCount: The most bytes to read, at most the buffer's capacity, which is the default.
  ///     More than the kernel reads by one call (2 GiB) takes several.
  ///   - offset: Where in the file, in bytes from its start, 0 or more.
  ///   - timeout: The longest to wait for the completion, more than 0; then it comes with
  ///     `ETIMEDOUT`. See ``CompletionQueue/cancel(_:abandoning:)`` for the buffer.
  ///   - handler: Gets the number of bytes that the kernel read: fewer than asked at the end of the
  ///     file, 0 behind it.
  /// - Returns: A name for the request, to cancel it.
  /// - Throws: `EBADF` after ``close(_:)`` or ``detach(_:)``, `EINVAL` for a negative offset or one
  ///   that leaves no room for the bytes below `Int64.max`, `EAGAIN` over one of the queue's
  ///   limits, `ECANCELED` when the queue's loop has ended, `ENOTSUP` in a forked child. Nothing
  ///   was started, the handler is not called, and the buffer is gone; ask
  ///   ``CompletionQueue/hasRoom(forBytes:)`` first to keep it.
  @discardableResult
  public func read(
    into buffer: consuming IOBuffer, byteCount: Int? = nil, at offset: Int64,
    timeout: Duration? = nil, _ handler: @escaping CompletionQueue.TransferHandler
  ) throws(Errno) -> RequestID {
    let byteCount = byteCount ?? buffer.capacity
    require(
      byteCount >= 0 && byteCount <= buffer.capacity,
      "AIOFile: byteCount is at most the buffer's capacity")
    return try queue.acceptTransfer(
      .read, self, buffer, byteCount: byteCount, at: offset, timeout: timeout, handler)
  }

  /// Writes the buffer's valid bytes. Wraps `aio_write(3)`'s operation.
  ///
  /// A short write is continued until all bytes are written or the kernel gives an error, which
  /// then says how many bytes were written before it. Adjacent writes that wait together may reach
  /// the kernel as one.
  ///
  /// - Parameters:
  ///   - buffer: Moves in; comes back with the completion, unchanged.
  ///   - offset: Where in the file, in bytes from its start, 0 or more. A file opened with
  ///     `O_APPEND` ignores it.
  ///   - timeout: As for ``read(into:byteCount:at:timeout:_:)``. A write that runs is not undone.
  ///   - handler: Gets the number of bytes written, all of them.
  /// - Returns: A name for the request, to cancel it.
  /// - Throws: As ``read(into:byteCount:at:timeout:_:)``.
  @discardableResult
  public func write(
    _ buffer: consuming IOBuffer, at offset: Int64, timeout: Duration? = nil,
    _ handler: @escaping CompletionQueue.TransferHandler
  ) throws(Errno) -> RequestID {
    let byteCount = buffer.count
    return try queue.acceptTransfer(
      .write, self, buffer, byteCount: byteCount, at: offset, timeout: timeout, handler)
  }

  /// Brings data and metadata to the disk. Wraps `aio_fsync(3)` with `O_SYNC`.
  ///
  /// Syncs that wait at the same time are served by one.
  ///
  /// - Parameters:
  ///   - timeout: As for ``read(into:byteCount:at:timeout:_:)``.
  ///   - handler: Called when every write that was accepted before is done and durable.
  /// - Returns: A name for the request, to cancel it.
  /// - Throws: `EBADF` after ``close(_:)``, `EAGAIN` over one of the limits, `ECANCELED` when the
  ///   queue's loop has ended, `ENOTSUP` in a forked child. Nothing was started.
  @discardableResult
  public func sync(
    timeout: Duration? = nil, _ handler: @escaping CompletionQueue.SyncHandler
  ) throws(Errno) -> RequestID {
    try queue.acceptSync(.sync, self, timeout: timeout, handler)
  }

  /// As ``sync(timeout:_:)``, but of the metadata only what is needed to read the data back. Wraps
  /// `aio_fsync(3)` with `O_DSYNC`.
  @discardableResult
  public func dataSync(
    timeout: Duration? = nil, _ handler: @escaping CompletionQueue.SyncHandler
  ) throws(Errno) -> RequestID {
    try queue.acceptSync(.dataSync, self, timeout: timeout, handler)
  }

  /// Whether what is in the page cache is read from there, without waiting.
  package var isReadFromCache: Bool { readsCacheFirst }

  /// Whether writes go to the file's end, whatever offset they name.
  package var appends: Bool { traits.isAppending }
}
