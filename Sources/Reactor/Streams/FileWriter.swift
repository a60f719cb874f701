public import PosixAIO
public import SystemPackage

/// Writes a file sequentially, in the background.
///
/// Bytes are accepted into a bounded buffer at once. Small writes are collected while one is in
/// progress, so a log line costs one copy. Bytes reach the file in order, one write at a time, so
/// an error leaves no hole and ``byteCountWritten`` is exact.
///
/// **After a failure** the writer accepts no more bytes, and every flush, ``close(durably:_:)`` and
/// wait gets the first error. The difference between ``byteCountAccepted`` and ``byteCountWritten``
/// is the number of accepted bytes that are not in the file.
///
/// If you drop a writer with buffered bytes, it still writes them; only ``flush(durably:_:)`` or
/// ``close(durably:_:)`` report the result. When its loop closes, accepted bytes are written first;
/// when the loop is cut off, the writer fails with `ECANCELED`.
@safe
public final class FileWriter: @unchecked Sendable {
  /// The sizes of a writer.
  public struct Configuration: Sendable {
    /// The bytes of one write, 1 or more; the default is 128 KiB.
    public var chunkByteCount = 128 * 1024

    /// The most bytes that are accepted and not yet written, 1 or more; the default is 1 MiB.
    public var bufferByteCount = 1024 * 1024

    /// Creates the default configuration.
    public init() {}

    func check() {
      require(
        chunkByteCount > 0 && bufferByteCount > 0,
        "FileWriter.Configuration: sizes must be 1 byte or more")
    }
  }

  enum State {
    case open
    /// Accepts no more bytes.
    case closing
    case failed(FileError)
    /// Closed or closing; with the error if the writer failed.
    case closed(FileError?)
  }

  private enum Activity {
    case idle
    /// Starts in the next turn, so that this turn's writes are collected.
    case scheduled
    /// Waits until the queue has room.
    case heldUp
    case writing
  }

  /// The current file; changes with ``reopen(_:options:permissions:_:)``.
  public var file: File {
    core.checkAccess()
    return currentFile
  }

  /// The number of bytes accepted since the writer was created.
  public var byteCountAccepted: Int64 {
    core.checkAccess()
    return acceptedByteCount
  }

  /// The number of those bytes that are in the file, as far as the kernel is concerned.
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

  /// Called once, by the loop, when the writer fails, after the handlers of its flushes and waits.
  /// Without it, a failure shows in the next call only. It is not called if the writer failed
  /// before you set it, and is released when the writer fails or closes.
  public var onFailure: ((FileError) -> Void)? {
    get {
      core.checkAccess()
      return onFailureHandler
    }
    set {
      core.checkAccess()
      guard !core.hasEnded else { return }
      _ = onFailureHandler.exchange(for: newValue)
    }
  }
  private var onFailureHandler: ((FileError) -> Void)?

  var offset: Int64
  private var chunks = ChunkList()
  var flushes: [Flush] = []
  var roomWaiters: [RoomWaiter] = []
  var rotation = Rotation.none
  /// Files to continue in; the first is in progress.
  var reopenings: [Reopening] = []
  var end = CloseOnce()

  /// A caller that waits for the bytes accepted before.
  struct Flush {
    let target: Int64
    let isDurable: Bool
    let handler: CompletionQueue.SyncHandler
  }

  /// Creates a writer. Do not write to the file in other ways while you use the writer.
  ///
  /// - Parameters:
  ///   - file: The file, open for writing.
  ///   - offset: The offset of the first byte, 0 or more. A file opened with `.append` ignores it.
  ///   - configuration: The sizes of the writer.
  public init(
    _ file: File, at offset: Int64 = 0, configuration: Configuration = Configuration()
  ) {
    configuration.check()
    require(offset >= 0, "FileWriter: an offset must be 0 or more")
    currentFile = file
    self.offset = offset
    self.configuration = configuration
    core = file.core
  }

  var chunkByteCount: Int { configuration.chunkByteCount }

  /// The number of bytes that are accepted and not yet written.
  public var bufferedByteCount: Int { Int(byteCountAccepted - byteCountWritten) }

  var waitingByteCount: Int { Int(acceptedByteCount - writtenByteCount) }

  /// The first error, after which nothing is written; nil if there was none.
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

  /// Whether a write of `byteCount` bytes would be accepted now. An empty buffer accepts any
  /// number.
  ///
  /// - Parameter byteCount: The number of bytes, 0 or more.
  public func hasRoom(for byteCount: Int) -> Bool {
    core.checkAccess()
    return takes(byteCount)
  }

  func takes(_ byteCount: Int) -> Bool {
    waitingByteCount == 0 || byteCount <= configuration.bufferByteCount - waitingByteCount
  }

  /// Accepts a copy of bytes: all of them or none.
  ///
  /// - Parameter bytes: The bytes; may be empty.
  /// - Throws: `EAGAIN` if there is no room, see ``waitForRoom(_:_:)``; `EBADF` after
  ///   ``close(durably:_:)``; `ECANCELED` when the loop is cut off or has ended; the errno of
  ///   ``failure``. None of the bytes were accepted then.
  public func write(_ bytes: RawSpan) throws(Errno) {
    try checkWrite(bytes.byteCount)
    chunks.append(bytes, chunkByteCount: configuration.chunkByteCount)
    accepted(bytes.byteCount)
  }

  /// As ``write(_:)-(RawSpan)``.
  public func write(_ bytes: some Collection<UInt8>) throws(Errno) {
    // Checked before the collection is accessed.
    try checkWrite(0)
    // Counts the bytes in memory: a collection may report a wrong count.
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
  /// - Throws: As ``write(_:)-(RawSpan)``. The buffer is lost then; call ``hasRoom(for:)`` first to
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
    // A loop that is being cut off refuses the write, and so the writer fails.
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

  /// Fails the writer. Only the first failure counts.
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
    let handler = onFailureHandler
    onFailure = nil
    handler?(error)
  }

  var closedError: FileError {
    FileError(operation: .write, path: currentFile.path, errno: .badFileDescriptor)
  }

  /// Separates the bytes accepted so far, which go to the current file, from later ones.
  func sealChunk() {
    chunks.seal()
  }

  /// Continues writing after a change.
  func resume() {
    writeNext()
  }
}
