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
/// A file belongs to its queue's thread.
@safe
public final class AIOFile {
  /// The queue that runs the file's operations.
  public let queue: CompletionQueue

  /// The path as the file was opened, for messages; nil if it is not known.
  public let path: FilePath?

  /// Gets the descriptors of a file that goes without having been closed, which are closed when
  /// nobody refers to them any more: for an owner who does not want to wait for that on this thread.
  package var whenDropped: ((ClosingDescriptors) -> Void)?

  let traits: FileTraits
  var lanes: Lanes
  /// The descriptor that the file was made with, until it is closed or given away.
  private(set) var shared: SharedDescriptor?
  /// Whether it is a pipe or its like that waits for another one to end.
  var isHeldBack = false
  var barrier = SyncBarrier()
  /// Why no sync can succeed any more, 0 for no reason.
  var failureNumber: Int32 = 0

  private let confinedBooks: Confined<Books>

  /// What every request passes through.
  private var books: Books {
    unsafeAddress { unsafe UnsafePointer(confinedBooks.address) }
    unsafeMutableAddress { unsafe confinedBooks.address }
  }

  private(set) var isOpen: Bool {
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
    var isReady = false
    var counts = FileCounts()
    var parkedDetach: RequestRef?
  }

  /// Whether the descriptors are to be closed with the last operation: the close that was asked for
  /// has completed with `ECANCELED`.
  var closesWhenIdle = false

  /// Whether the ``Orphanage`` has operations of the file.
  private var isOrphaned = false

  /// Calls on other threads that use the descriptor; each counts as unfinished too.
  var lentCount: Int { books.counts.lent }

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

  private init(
    _ descriptor: SharedDescriptor, path: FilePath?, queue: CompletionQueue, _ traits: FileTraits
  ) {
    self.path = path
    self.queue = queue
    self.traits = traits
    shared = descriptor
    lanes = Lanes(
      descriptor.rawValue, limit: traits.isStream ? 1 : queue.configuration.lanesPerFile)
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
  ///   - offset: Where in the file, in bytes from its start, 0 or more.
  ///   - timeout: The longest to wait for the completion, more than 0; then it comes with
  ///     `ETIMEDOUT`. See ``CompletionQueue/cancel(_:abandoning:)`` for the buffer.
  ///   - handler: Gets the number of bytes that the kernel read: fewer than asked at the end of the
  ///     file, 0 behind it.
  /// - Returns: A name for the request, to cancel it.
  /// - Throws: `EBADF` after ``close(_:)`` or ``detach(_:)``, `EINVAL` for a negative offset,
  ///   `EAGAIN` over one of the queue's limits, `ENOTSUP` in a forked child. Nothing was started,
  ///   the handler is not called, and the buffer is gone; ask
  ///   ``CompletionQueue/hasRoom(forBytes:)`` first to keep it.
  @discardableResult
  public func read(
    into buffer: consuming IOBuffer, byteCount: Int? = nil, at offset: Int64,
    timeout: Duration? = nil, _ handler: @escaping CompletionQueue.TransferHandler
  ) throws(Errno) -> RequestID {
    let byteCount = byteCount ?? buffer.capacity
    precondition(
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
  /// - Throws: `EBADF` after ``close(_:)``, `EAGAIN` over one of the limits, `ENOTSUP` in a forked
  ///   child. Nothing was started.
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

  /// Closes the file's descriptors as soon as no operation needs them. Wraps `close(2)`.
  ///
  /// Operations accepted before run to their end and have their handlers called first; new ones are
  /// refused with `EBADF`. `close(2)` may block, and is called on the queue's thread;
  /// ``detach(_:)`` leaves it to the caller.
  ///
  /// - Parameter handler: Called once, from `drain`. An error means that data of earlier writes may
  ///   be lost, as on a network file system; the descriptors are gone all the same. `ECANCELED` says
  ///   that the queue ended first: the descriptors are closed when the kernel lets go of them.
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
    precondition(isOpen, "AIOFile: a file is closed or detached only once")
    isOpen = false
    queue.acceptDetach(self, handler)
  }

  /// Whether writes go to the file's end, whatever offset they name.
  package var appends: Bool { traits.isAppending }

  // MARK: - Calls that the queue does not make

  /// Lends the descriptor for a call on another thread. A close waits for
  /// ``giveBackDescriptor()``; and whatever becomes of the file, the number stays open as long as the
  /// reference is held.
  ///
  /// - Throws: `EBADF` after ``close(_:)`` or ``detach(_:)``.
  package func lendDescriptor() throws(Errno) -> SharedDescriptor {
    guard isOpen, let shared else { throw .badFileDescriptor }
    countLent()
    return shared
  }

  /// The call that got the descriptor is over.
  package func giveBackDescriptor() {
    countGivenBack()
    requestEnded()
  }

  // MARK: - Ends

  /// One of the file's requests is over, its handler called.
  func requestEnded() {
    countRequestOut()
    finishDetachIfLast()
    if closesWhenIdle, unfinishedCount == 0, shared != nil {
      // Who asked for the close has its response already.
      _ = surrenderDescriptors()
    }
  }

  func park(detach request: RequestRef) {
    books.parkedDetach = request
    finishDetachIfLast()
  }

  private func finishDetachIfLast() {
    guard unfinishedCount == 1, let request = books.parkedDetach else { return }
    books.parkedDetach = nil
    queue.takeParked(request)
    queue.finish(request)
  }

  /// Gives all descriptors away. Nothing may be in flight.
  func surrenderDescriptors() -> ClosingDescriptors {
    guard let shared else { preconditionFailure("AIOFile: its descriptors are given away once") }
    self.shared = nil
    return ClosingDescriptors(shared, duplicates: lanes.takeDuplicates())
  }

  func takeParkedDetach() -> RequestRef? {
    books.parkedDetach.take()
  }

  // MARK: - After the queue's end

  /// Gives the descriptors away for operations that outlive the queue. An open file keeps its first
  /// one.
  func orphanDescriptors() -> OrphanedDescriptors {
    isOrphaned = true
    let first = shared
    if !isOpen { shared = nil }
    return OrphanedDescriptors(first, duplicates: lanes.surrenderDuplicates())
  }

  /// For a close after the queue has retired. What the kernel or a call on another thread still uses
  /// is closed when they let go.
  func surrenderAfterTheEnd() -> ClosingDescriptors {
    guard unfinishedCount == 0, !isOrphaned else {
      shared = nil
      return ClosingDescriptors(refused: .canceled)
    }
    return surrenderDescriptors()
  }
}
