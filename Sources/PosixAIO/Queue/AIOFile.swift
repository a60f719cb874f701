internal import Glibc
public import SystemPackage

/// An open file whose operations run through a ``CompletionQueue``.
///
/// Any number of operations may be in progress. Reads and writes have no order among them, except
/// that appends keep the order in which they were accepted. A sync covers every write that was
/// accepted before it.
///
/// **After a failure.** After a failed write or sync, every later sync of the file fails with the
/// same error until you reopen the file: the kernel may have dropped the data, and reports that
/// only once.
///
/// **The end.** A request holds its file. If you drop a file that has operations in progress, they
/// run to their end, their handlers are called, and then the descriptors are closed. ``close(_:)``
/// and ``detach(_:)`` report when that is. If the queue's loop ends first, unfinished requests
/// complete with `ECANCELED`; see ``CompletionQueue``.
///
/// **Pipes, sockets, terminals.** Reads and writes run independently of each other, each in the
/// order in which they were accepted, through two descriptors. If the second descriptor cannot be
/// opened (`EMFILE`), reads and writes take turns on the first one: a read that waits for data then
/// holds up writes. The queue retries to open the second one while operations are in flight.
///
/// A file belongs to its queue's thread; its methods trap on any other.
@safe
public final class AIOFile {
  /// The queue that runs the file's operations.
  public let queue: CompletionQueue

  /// The path with which the file was opened, for error messages; nil if it is not known.
  public let path: FilePath?

  /// If set, gets the descriptors of a file that is dropped without being closed. They are closed
  /// when the last reference to them goes. For owners that do not want `close(2)` to block this
  /// thread.
  package var whenDropped: ((ClosingDescriptors) -> Void)?

  let traits: FileTraits
  var lanes: Lanes
  /// The descriptor that the file was made with, until it is closed or given away.
  var shared: SharedDescriptor?
  /// Keeps the descriptor open even if another owner closes it.
  var use: SharedDescriptor.Use?
  /// For a file that may block forever: the directions that wait for other files' operations to
  /// end.
  var heldBackDirections: Set<TransferDirection> = []
  /// Whether one direction waits for a descriptor of its own.
  var waitsForDescriptor = false
  var barrier = SyncBarrier()
  /// The error of a failed write or sync, with which every later sync fails; 0 for none.
  var failureNumber: Int32 = 0

  private let hotStorage: UncheckedBox<HotState>

  /// The state that every request passes through.
  private var hot: HotState {
    unsafeAddress { unsafe UnsafePointer(hotStorage.address) }
    unsafeMutableAddress { unsafe hotStorage.address }
  }

  /// How far the file's end has come.
  var end: End {
    _read { yield hot.end }
    _modify { yield &hot.end }
  }

  var isOpen: Bool { if case .open = hot.end { true } else { false } }

  /// Whether reads try the page cache first. Some file systems do not support that.
  var readsCacheFirst: Bool {
    get { hot.readsCacheFirst }
    set { hot.readsCacheFirst = newValue }
  }

  /// Requests that are not submitted yet, in order; of a file that may block forever, only reads.
  var waiting: RequestList {
    _read { yield hot.waiting }
    _modify { yield &hot.waiting }
  }

  /// The writes and syncs that are not submitted yet, of a file that may block forever.
  var waitingOutput: RequestList {
    _read { yield hot.waitingOutput }
    _modify { yield &hot.waitingOutput }
  }

  var hasWaiting: Bool { !hot.waiting.isEmpty || !hot.waitingOutput.isEmpty }

  /// Whether the file is in the queue's list of files with something to submit.
  var isReady: Bool {
    get { hot.isReady }
    set { hot.isReady = newValue }
  }

  var counts: FileCounts {
    _read { yield hot.counts }
    _modify { yield &hot.counts }
  }

  var inFlightCount: Int { hot.counts.inFlight }
  var writeInFlightCount: Int { hot.counts.writesInFlight }
  var unfinishedCount: Int { hot.counts.unfinished }

  private struct HotState {
    var end = End.open
    var readsCacheFirst: Bool
    var waiting = RequestList()
    var waitingOutput = RequestList()
    var isReady = false
    var counts = FileCounts()
    var parkedDetach: RequestRef?
    var closesWhenIdle = false
  }

  /// Whether the descriptors are to be closed after the last operation, because the close that was
  /// asked for has completed with `ECANCELED`.
  var closesWhenIdle: Bool {
    get { hot.closesWhenIdle }
    set { hot.closesWhenIdle = newValue }
  }

  /// Whether the ``Orphanage`` holds operations of the file.
  var isOrphaned = false

  /// The number of calls on other threads that use the descriptor. Each also counts as unfinished.
  var lentCount: Int { hot.counts.lent }

  /// The detach that waits for all other requests of the file.
  var parkedDetach: RequestRef? {
    get { hot.parkedDetach }
    set { hot.parkedDetach = newValue }
  }

  /// Takes ownership of an open descriptor.
  ///
  /// - Parameters:
  ///   - descriptor: Closed by the file. Of a regular file, or of a pipe, socket or terminal, whose
  ///     operations occupy a helper thread of glibc for as long as they wait; see
  ///     ``CompletionQueue/Configuration/blockingFileLimit``.
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

  /// As ``init(_:path:queue:)``, for a file that is known to be regular and open for reading
  /// through the page cache, which saves the calls that find that out.
  package convenience init(
    ofCachedRegularFile descriptor: SharedDescriptor, path: FilePath?, queue: CompletionQueue
  ) {
    self.init(descriptor, path: path, queue: queue, .cachedRegular)
  }

  /// A file over a descriptor that another file lent, and may close in the meantime.
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
      limit: traits.mayBlockForever
        ? min(traits.isBidirectional ? 2 : 1, queue.configuration.lanesPerFile)
        : queue.configuration.lanesPerFile)
    hotStorage = UncheckedBox(
      HotState(
        readsCacheFirst: queue.configuration.readsCacheFirst && traits.isRegular
          && !traits.isDirect))
  }

  deinit {
    // Requests hold the file, so none is unfinished. A file that was not closed closes its
    // duplicates here. The first descriptor is closed after the last call that borrowed it.
    let duplicates = lanes.takeDuplicates()
    guard let whenDropped, let shared else {
      for duplicate in duplicates { Glibc.close(duplicate) }
      return
    }
    whenDropped(ClosingDescriptors(shared, duplicates: duplicates))
  }

  /// Fills a buffer from its start; its valid bytes are lost. Wraps `preadv2(2)` with `RWF_NOWAIT`,
  /// and `aio_read(3)` for what the page cache cannot serve.
  ///
  /// Traps if `byteCount` is not within `0...buffer.capacity`, except for a capacity of 0, if the
  /// timeout is not greater than 0, and on any thread but the queue's.
  ///
  /// - Parameters:
  ///   - buffer: Moves in. Comes back with the completion, its `count` set to the number of bytes
  ///     read.
  ///   - byteCount: The most bytes to read; by default the buffer's capacity. More than one call of
  ///     the kernel reads (2 GiB) takes several calls.
  ///   - offset: In bytes from the start of the file, 0 or more.
  ///   - timeout: The longest time until the completion, greater than 0. After that, the request
  ///     completes with `ETIMEDOUT`; see ``CompletionQueue/cancel(_:abandoning:)`` for its buffer.
  ///   - handler: Called once, from `drain`, with the number of bytes read: fewer than asked for at
  ///     the end of the file, 0 after it.
  /// - Returns: The ID of the request, to cancel it.
  /// - Throws: `EBADF` after ``close(_:)`` or ``detach(_:)``; `EINVAL` for an offset that is
  ///   negative, or that exceeds `Int64.max` together with the byte count; `ENOBUFS` for a buffer
  ///   of capacity 0, such as a handler gets after a timeout, since 0 bytes would look like the end
  ///   of the file; `EAGAIN` over one of the queue's limits; `ECANCELED` after the queue's loop has
  ///   ended; `ENOTSUP` in a forked child. Nothing was started, the handler is not called, and the
  ///   buffer is freed; to keep it, call ``CompletionQueue/hasRoom(forBytes:)`` first.
  @discardableResult
  public func read(
    into buffer: consuming IOBuffer, byteCount: Int? = nil, at offset: Int64,
    timeout: Duration? = nil, _ handler: @escaping CompletionQueue.TransferHandler
  ) throws(Errno) -> RequestID {
    let byteCount = byteCount ?? buffer.capacity
    Self.check(byteCount, within: buffer.capacity)
    return try queue.enqueueTransfer(
      .read, self, buffer, byteCount: byteCount, at: offset, timeout: timeout, handler)
  }

  /// Writes the buffer's valid bytes. Wraps `aio_write(3)`.
  ///
  /// A short write continues until all bytes are written or the kernel reports an error; the error
  /// then says how many bytes were written. Adjacent writes that wait together may reach the kernel
  /// as one.
  ///
  /// Traps if the timeout is not greater than 0, and on any thread but the queue's.
  ///
  /// - Parameters:
  ///   - buffer: Moves in. Comes back unchanged with the completion.
  ///   - offset: In bytes from the start of the file, 0 or more. Ignored for a file opened with
  ///     `O_APPEND`.
  ///   - timeout: As for ``read(into:byteCount:at:timeout:_:)``. A write that runs is not undone.
  ///   - handler: Called once, from `drain`, with the number of bytes written, which is all of
  ///     them.
  /// - Returns: The ID of the request, to cancel it.
  /// - Throws: As ``read(into:byteCount:at:timeout:_:)``. Writing an empty buffer has no effect,
  ///   except that the one that a handler gets after a timeout is refused with `ENOBUFS`.
  @discardableResult
  public func write(
    _ buffer: consuming IOBuffer, at offset: Int64, timeout: Duration? = nil,
    _ handler: @escaping CompletionQueue.TransferHandler
  ) throws(Errno) -> RequestID {
    let byteCount = buffer.count
    return try queue.enqueueTransfer(
      .write, self, buffer, byteCount: byteCount, at: offset, timeout: timeout, handler)
  }

  /// Makes the file's earlier writes durable: data and metadata. Wraps `aio_fsync(3)` with
  /// `O_SYNC`.
  ///
  /// One sync serves all syncs of the file that wait at the same time.
  ///
  /// Traps if the timeout is not greater than 0, and on any thread but the queue's.
  ///
  /// - Parameters:
  ///   - timeout: As for ``read(into:byteCount:at:timeout:_:)``.
  ///   - handler: Called once, from `drain`, when every write that was accepted before this call is
  ///     done and durable.
  /// - Returns: The ID of the request, to cancel it.
  /// - Throws: `EBADF` after ``close(_:)`` or ``detach(_:)``, `EAGAIN` over one of the queue's
  ///   limits, `ECANCELED` after the queue's loop has ended, `ENOTSUP` in a forked child. Nothing
  ///   was started.
  @discardableResult
  public func sync(
    timeout: Duration? = nil, _ handler: @escaping CompletionQueue.SyncHandler
  ) throws(Errno) -> RequestID {
    try queue.enqueueSync(.sync, self, timeout: timeout, handler)
  }

  /// As ``sync(timeout:_:)``, but of the metadata only what is needed to read the data back. Wraps
  /// `aio_fsync(3)` with `O_DSYNC`.
  @discardableResult
  public func dataSync(
    timeout: Duration? = nil, _ handler: @escaping CompletionQueue.SyncHandler
  ) throws(Errno) -> RequestID {
    try queue.enqueueSync(.dataSync, self, timeout: timeout, handler)
  }

  /// Whether reads try the page cache before they use a helper thread.
  package var isReadFromCache: Bool { readsCacheFirst }

  /// Whether writes go to the end of the file, whatever their offset.
  package var appends: Bool { traits.isAppending }

  /// Whether the file was opened with `O_DIRECT`, so that memory must be aligned.
  package var isDirect: Bool { traits.isDirect }
}
