public import PosixAIO
public import SystemPackage

/// Writes a file from front to back, behind the back of whoever has the bytes.
///
/// Bytes are accepted into a bounded buffer at once. Small writes are collected while one is under
/// way, so a log line costs a copy. Everything reaches the file in order: one write at a time is
/// under way, so after an error there is no hole, and ``byteCountWritten`` is exact.
///
/// **After a failure** nothing is accepted any more, and every flush, ``close(durably:_:)`` and
/// wait gets the first error. What was accepted and is not in the file is told by
/// ``byteCountAccepted`` and ``byteCountWritten``.
///
/// A writer that is dropped while bytes are in the buffer writes them; whether that worked, only
/// ``flush(durably:_:)`` or ``close(durably:_:)`` tell. When its loop closes, what was accepted is
/// written before; when the loop is cut off, the writer fails with `ECANCELED`.
@safe
public final class FileWriter: @unchecked Sendable {
  /// The sizes of a writer.
  public struct Configuration: Sendable {
    /// The bytes of one write, 1 or more; 128 KiB unless set.
    public var chunkByteCount = 128 * 1024

    /// The most bytes that are accepted and not written yet, 1 or more; 1 MiB unless set.
    public var bufferByteCount = 1024 * 1024

    /// The sizes as they are unless set.
    public init() {}

    func check() {
      require(
        chunkByteCount > 0 && bufferByteCount > 0,
        "FileWriter.Configuration: sizes are 1 byte or more")
    }
  }

  enum State {
    case open
    /// Nothing more is accepted.
    case closing
    case failed(FileError)
    /// Closed, or about to be, after it had failed.
    case closed(FileError?)
  }

  private enum Activity {
    case idle
    /// To start in the next turn, so that this one's writes are collected.
    case scheduled
    /// Until the queue has room.
    case heldUp
    case writing
  }

  /// The file that is written now; another one after ``reopen(_:options:permissions:_:)``.
  public var file: File {
    core.checkAccess()
    return currentFile
  }

  /// The bytes that were accepted since the writer was made.
  public var byteCountAccepted: Int64 {
    core.checkAccess()
    return acceptedByteCount
  }

  /// Those of them that are in the file, as far as the kernel is concerned.
  public var byteCountWritten: Int64 {
    core.checkAccess()
    return writtenByteCount
  }

  let core: LoopCore
  var currentFile: File
  private(set) var acceptedByteCount: Int64 = 0
  private(set) var writtenByteCount: Int64 = 0
  private let configuration: Configuration
  var state = State.open
  private var activity = Activity.idle
  /// Called behind everybody else, for who does not wait for the writer at the moment.
  var onFailure: (() -> Void)?
  var offset: Int64
  private var chunks = ChunkList()
  var flushes: [Flush] = []
  var roomWaiters: [RoomWaiter] = []
  var rotation = Rotation.none
  var end = CloseOnce()

  /// Somebody who waits for what was accepted before.
  struct Flush {
    let goal: Int64
    let isDurable: Bool
    let handler: CompletionQueue.SyncHandler
  }

  /// Makes a writer. It owns the file from here on: whoever else writes to it, does so at their own
  /// risk.
  ///
  /// - Parameters:
  ///   - file: Open for writing.
  ///   - offset: Where the first byte goes, 0 or more. A file opened with `.append` ignores it.
  ///   - configuration: The sizes.
  public init(
    _ file: File, at offset: Int64 = 0, configuration: Configuration = Configuration()
  ) {
    configuration.check()
    require(offset >= 0, "FileWriter: a place in a file is 0 or more")
    currentFile = file
    self.offset = offset
    self.configuration = configuration
    core = file.core
  }

  var chunkByteCount: Int { configuration.chunkByteCount }

  /// The bytes that are accepted and not written yet.
  public var bufferedByteCount: Int { Int(byteCountAccepted - byteCountWritten) }

  var waitingByteCount: Int { Int(acceptedByteCount - writtenByteCount) }

  /// The first error, after which nothing is written any more.
  public var failure: FileError? {
    core.checkAccess()
    return firstError
  }

  var firstError: FileError? {
    switch state {
    case .failed(let error), .closed(let error?): error
    case .open, .closing, .closed(nil): nil
    }
  }

  /// Whether a write of so many bytes would be accepted now. An empty buffer takes one of any size.
  ///
  /// - Parameter byteCount: 0 or more.
  public func hasRoom(for byteCount: Int) -> Bool {
    core.checkAccess()
    return takes(byteCount)
  }

  func takes(_ byteCount: Int) -> Bool {
    waitingByteCount == 0 || byteCount <= configuration.bufferByteCount - waitingByteCount
  }

  /// Accepts a copy of bytes: all of them or none.
  ///
  /// - Parameter bytes: Any number of them, 0 included.
  /// - Throws: `EAGAIN` if there is no room: see ``waitForRoom(_:_:)``; `EBADF` after
  ///   ``close(durably:_:)``; `ECANCELED` when the loop is cut off or has ended; the errno of
  ///   ``failure``. Then none of the bytes were accepted.
  public func write(_ bytes: RawSpan) throws(Errno) {
    try checkWrite(bytes.byteCount)
    chunks.append(bytes, chunkByteCount: configuration.chunkByteCount)
    accepted(bytes.byteCount)
  }

  /// As ``write(_:)-(RawSpan)``.
  public func write(_ bytes: some Collection<UInt8>) throws(Errno) {
    // Checked before the bytes are looked at.
    try checkWrite(0)
    // The number of bytes is that of the memory: a collection may be wrong about its own.
    let outcome: Result<Void, Errno>? = bytes.withContiguousStorageIfAvailable { bytes in
      Result { () throws(Errno) in try write(unsafe UnsafeRawBufferPointer(bytes).bytes) }
    }
    if let outcome { return try outcome.get() }
    var copy: [UInt8] = []
    for byte in bytes { copy.append(byte) }
    try write(unsafe copy.span.bytes)
  }

  /// Accepts a buffer's valid bytes. One of a chunk or more is not copied.
  ///
  /// - Parameter buffer: Moves in.
  /// - Throws: As ``write(_:)-(RawSpan)``. The buffer is gone then; ask ``hasRoom(for:)`` first to
  ///   keep it.
  public func write(_ buffer: consuming IOBuffer) throws(Errno) {
    guard buffer.count >= configuration.chunkByteCount else {
      return try buffer.withBytes { bytes throws(Errno) in try write(bytes) }
    }
    try checkWrite(buffer.count)
    let byteCount = buffer.count
    chunks.append(buffer)
    accepted(byteCount)
  }

  var isOpen: Bool {
    if case .open = state { true } else { false }
  }

  // MARK: - Accepting

  private func checkWrite(_ byteCount: Int) throws(Errno) {
    try core.checkUse()
    guard !core.refusesWork else { throw .canceled }
    switch state {
    case .open: break
    case .failed(let error): throw error.errno
    case .closing, .closed: throw .badFileDescriptor
    }
    guard takes(byteCount) else { throw .resourceTemporarilyUnavailable }
  }

  private func accepted(_ byteCount: Int) {
    acceptedByteCount += Int64(byteCount)
    guard case .idle = activity, byteCount > 0 else { return }
    activity = .scheduled
    core.callNextTurn { [self] in
      activity = .idle
      writeNext()
    }
  }

  // MARK: - Writing

  /// Starts the next write if none is under way and there is something to write.
  private func writeNext() {
    guard case .idle = activity, firstError == nil else { return }
    switchIfDue()
    guard let buffer = chunks.popFirst() else { return }
    // A loop that is being cut off refuses it, and that is the writer's failure.
    guard core.refusesWork || core.queue.hasRoom(forBytes: buffer.capacity) else {
      let byteCount = buffer.capacity
      chunks.putBack(buffer)
      return waitForQueue(byteCount)
    }
    activity = .writing
    currentFile.write(buffer, at: offset) { [self] result, buffer in written(result, buffer) }
  }

  private func waitForQueue(_ byteCount: Int) {
    activity = .heldUp
    core.files.waiters.add(byteCount) { [self] in
      activity = .idle
      writeNext()
    }
  }

  private func written(_ result: Result<Int, FileError>, _ buffer: consuming IOBuffer) {
    activity = .idle
    switch result {
    case .success(let count):
      writtenByteCount += Int64(count)
      offset += Int64(count)
      chunks.recycle(buffer, chunkByteCount: configuration.chunkByteCount)
      writeNext()
      callFlushes()
      callRoomWaiters()
    case .failure(let error):
      writtenByteCount += Int64(error.byteCountDone)
      fail(error)
    }
  }

  /// The first failure is the last thing that happens.
  func fail(_ error: FileError) {
    guard firstError == nil else { return }
    switch state {
    case .open, .failed: state = .failed(error)
    case .closing, .closed: state = .closed(error)
    }
    chunks.removeAll()
    dropSuccessor(error)
    callFlushes()
    callRoomWaiters()
    onFailure?()
  }

  var closedError: FileError {
    FileError(operation: .write, path: currentFile.path, errno: .badFileDescriptor)
  }

  /// Everything accepted until now goes to the present file, and nothing from now on.
  func sealChunk() {
    chunks.seal()
  }

  /// Has what waits go on, after something else was in the way.
  func resume() {
    writeNext()
  }
}
