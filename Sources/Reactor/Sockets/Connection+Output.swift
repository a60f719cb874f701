public import PosixAIO
public import SystemPackage

extension Connection {
  /// Sends a copy of the bytes as the peer takes them, in call order. Wraps `send(2)` and
  /// `sendmsg(2)`, both with `MSG_NOSIGNAL`.
  ///
  /// - Parameter bytes: The bytes; may be empty.
  /// - Throws: `EPIPE` when the connection is closed or closing, or its output is shut down;
  ///   `ECANCELED` when its loop's end closed it; `ENOBUFS` above
  ///   ``Configuration/outputLimitByteCount``. None of the bytes are sent then.
  public func write(_ bytes: RawSpan) throws(Errno) {
    try unsafe bytes.withUnsafeBytes { bytes throws(Errno) in try unsafe write(copying: bytes) }
  }

  /// As ``write(_:)-(RawSpan)``. Sends the bytes that the collection yields, whatever its `count`
  /// says.
  public func write(_ bytes: some Collection<UInt8>) throws(Errno) {
    let written = bytes.withContiguousStorageIfAvailable { bytes in
      unsafe outcome(ofCopying: UnsafeRawBufferPointer(bytes))
    }
    if let written { return try written.get() }
    try checkWrite(0)
    var copy: [UInt8] = []
    for byte in bytes {
      copy.append(byte)
      guard copy.count <= room else { throw .noBufferSpace }
    }
    try unsafe write(copy.span.bytes)
  }

  /// Sends a buffer's valid bytes. 4 KiB or more are not copied; their memory is freed once sent or
  /// when the connection closes. Wraps `send(2)` and `sendmsg(2)`.
  ///
  /// - Parameter buffer: Moves in.
  /// - Throws: As ``write(_:)-(RawSpan)``.
  public func write(_ buffer: consuming IOBuffer) throws(Errno) {
    try checkWrite(buffer.count)
    socket.write(buffer)
    noteWrite()
  }

  /// The outcome of a write that returns its buffer.
  public enum WriteOutcome: Equatable, Sendable {
    /// The kernel took all its bytes.
    case sent
    /// The connection closed first. Some of the bytes may have been sent.
    case connectionClosed
    /// Nothing was sent: `EPIPE`, `ECANCELED` or `ENOBUFS`, for the reasons that
    /// ``write(_:)-(RawSpan)`` throws them.
    case refused(Errno)
  }

  /// Called with the outcome and the unchanged buffer.
  public typealias BufferHandler = (_ outcome: WriteOutcome, _ buffer: consuming IOBuffer) -> Void

  /// Sends a buffer's valid bytes in call order and returns the buffer. The bytes are never copied,
  /// whatever their number. Wraps `send(2)` and `sendmsg(2)`.
  ///
  /// - Parameters:
  ///   - buffer: Moves in and comes back unchanged as soon as the kernel has its bytes. It may be
  ///     empty.
  ///   - whenSent: Called once, from the loop and never inside this call. Accepted writes complete
  ///     in call order. If the connection closes first, also by its loop's end, this is called
  ///     before ``onClose``. A refusal is reported in the next turn; see ``EventLoop``.
  public func write(
    _ buffer: consuming IOBuffer, _ whenSent: @escaping BufferHandler
  ) {
    if let reason = refusal(ofBytes: buffer.count) {
      let box = MoveBox(buffer)
      return core.complete { whenSent(.refused(reason), box.take()) }
    }
    socket.write(buffer, whenSent)
    noteWrite()
  }

  /// The number of written bytes that the kernel has taken.
  package var sentByteCount: Int64 { socket.sentByteCount }

  /// Of those, the bytes that the peer's kernel has acknowledged. Wraps `SIOCOUTQ`.
  package var acknowledgedByteCount: Int64 {
    sentByteCount - Int64(SocketCalls.unacknowledgedByteCount(of: socket.descriptor))
  }

  /// Sends a range of a file, in call order. Bytes in the page cache are not copied unless the
  /// range is small, and the loop does not wait for the disk: see
  /// ``EventLoop/Configuration/sendsFilesWithoutCopy``. Wraps `preadv2(2)` with `RWF_NOWAIT` up to
  /// 16 KiB, otherwise `sendfile(2)`, and the operation of `aio_read(3)` for bytes that are not
  /// cached.
  ///
  /// You may close or drop the file at once; it stays open until the range is sent. Each byte sent
  /// is one that the file holds at some moment between this call and the completion. If a program
  /// changes the range in place, it may change what the peer gets, even after the completion.
  ///
  /// A range counts towards ``pendingByteCount``, but not towards ``isCongested`` or the limit,
  /// since it uses none of the connection's memory. The exception is a small range: it is copied at
  /// once, and then counts, if no more than ``Configuration/outputLowWaterByteCount`` waits
  /// together with it.
  ///
  /// If the file is closed or unreadable, or has become shorter than the range, nothing more can be
  /// sent, since it would be out of place: output written after the range stays unsent, further
  /// writes throw `EPIPE`, and ``close()->()`` closes at once with `EIO` as the reason. Then close
  /// or abort the connection, so that the peer sees that it did not get everything.
  ///
  /// - Parameters:
  ///   - file: A file of the same loop, open for reading. A file of another loop traps.
  ///   - range: The range in bytes from the file's start, 0 or more. It may be empty.
  ///   - configuration: How far to read ahead bytes that are not in the page cache.
  ///   - whenSent: Called once, from the loop and never inside this call, in the order of the
  ///     writes: with the number of bytes when the kernel has taken all of them. A failure says how
  ///     many it took before: ``PumpError/Reason/endOfFile``, ``PumpError/Reason/file(_:)``, or
  ///     ``PumpError/Reason/connection(_:)`` if the connection closes first, also by its loop's
  ///     end; that is reported before ``onClose``. If the connection accepts no more output, the
  ///     same failure is reported in the next turn; see ``EventLoop``.
  public func write(
    _ file: File, _ range: Range<Int64>,
    configuration: FileReader.Configuration = FileReader.Configuration(),
    _ whenSent: Pump.Handler? = nil
  ) {
    guard acceptsRange(of: file, whenSent) else { return }
    let copying = socket.copy(
      range, of: file, memoryLimit: self.configuration.outputLowWaterByteCount, whenSent)
    if case .done = copying { return noteWrite() }
    let outgoing = OutgoingRange(file, range, mayEndEarlier: false, configuration, whenSent)
    if case .missed = copying { outgoing.doubtSmallRange() }
    write(outgoing)
  }

  /// Whether a file range can be added to the output now. Otherwise reports the failure to its
  /// handler.
  func acceptsRange(of file: File, _ whenSent: Pump.Handler?) -> Bool {
    let refusal = refusal(ofBytes: 0)
    require(file.core === core, "Connection: a file of another loop cannot be sent")
    guard refusal != nil else { return true }
    guard let whenSent else { return false }
    core.complete { [self] in
      // Without a close reason, this side is closing or has shut its output down.
      whenSent(.failure(PumpError(.connection(endReason ?? .local), byteCountDone: 0)))
    }
    return false
  }

  /// Adds a range to the output, after ``acceptsRange(of:_:)``.
  /// The largest range of a file that is copied from the page cache, in bytes. Below it, a copy
  /// costs less than the calls for sending without one.
  package static let smallRangeByteCount: Int64 = 16 * 1024

  func write(_ range: OutgoingRange) {
    socket.write(range)
    noteWrite()
  }

  /// Stops sending a range. Calls its handler before it returns.
  func cancel(_ range: OutgoingRange) {
    socket.remove(range, .canceled)
    outputMoved()
  }

  /// The number of written bytes that the kernel has not taken, file ranges included. After the
  /// connection closes, the bytes that were never sent.
  public var pendingByteCount: Int {
    checkThread()
    return unsentByteCount
  }

  /// As ``pendingByteCount``, without the thread check.
  package var unsentByteCount: Int { socket.outputByteCount }

  /// Ends this side when everything is sent; the peer then sees the end of its input. Input
  /// continues. If the peer has ended too, the connection closes. Wraps `shutdown(2)`.
  ///
  /// Does nothing if this side has already ended.
  public func shutdownOutput() {
    checkThread()
    guard isInUse, output == .open else { return }
    output = .ending
    if socket.isOutputEmpty { sockets.nextTurn { [self] in outputMoved() } }
  }

  /// As ``write(_:)-(RawSpan)``, for a writer that will probably write `followingByteCount` more
  /// bytes, which then share one block of memory.
  package func write(_ bytes: RawSpan, followingByteCount: Int) throws(Errno) {
    try checkWrite(bytes.byteCount)
    unsafe bytes.withUnsafeBytes {
      unsafe socket.write($0, followingByteCount: followingByteCount)
    }
    noteWrite()
  }

  private func write(copying bytes: UnsafeRawBufferPointer) throws(Errno) {
    try checkWrite(bytes.count)
    unsafe socket.write(bytes)
    noteWrite()
  }

  /// For a standard library closure, which cannot throw an `Errno`.
  private func outcome(ofCopying bytes: UnsafeRawBufferPointer) -> Result<Void, Errno> {
    Result { () throws(Errno) in try unsafe write(copying: bytes) }
  }

  /// Whether a write would be accepted.
  package var acceptsBytes: Bool { isInUse && output == .open }

  private func checkWrite(_ byteCount: Int) throws(Errno) {
    if let reason = refusal(ofBytes: byteCount) { throw reason }
  }

  private func refusal(ofBytes byteCount: Int) -> Errno? {
    checkThread()
    guard acceptsBytes else { return core.isEnding ? .canceled : .brokenPipe }
    return byteCount <= room ? nil : .noBufferSpace
  }

  /// The number of bytes that may still be written.
  private var room: Int { configuration.outputLimitByteCount - socket.outputMemoryByteCount }

  private func noteWrite() {
    writeCount += 1
    outputIsReady()
    if socket.outputMemoryByteCount > configuration.outputHighWaterByteCount {
      hasTooMuchOutput = true
    }
  }

  /// Whether no more than `memoryByteCount` bytes wait in memory; nil requires that all output is
  /// sent.
  func hasSent(downTo memoryByteCount: Int?) -> Bool {
    memoryByteCount.map { socket.outputMemoryByteCount <= $0 } ?? socket.isOutputEmpty
  }

  /// Sends the next bytes, which are ready, at the end of this turn.
  func outputIsReady() {
    if socket.beginSending() { sockets.sendAtEndOfTurn(socket) }
  }

  func outputBroke(_ reason: PumpError.Reason) {
    output = .broken
    brokenReason = reason
  }

  func outputMoved() {
    reportSettled()
    if let reason = brokenReason.take() { onOutputFailure?(reason) }
    if socket.sentByteCount > reportedByteCount {
      reportedByteCount = socket.sentByteCount
      onProgress?()
    }
    // Either call may have closed the connection.
    if case .closed = state { return }
    if output == .broken, !isInUse { return finish(.failed(.ioError)) }
    if socket.isOutputEmpty { outputSent() }
    resumeWriters()
    guard isInUse, hasTooMuchOutput, hasSent(downTo: configuration.outputLowWaterByteCount) else {
      return
    }
    hasTooMuchOutput = false
    onDrainedHandler?(self)
  }

  /// One at a time, since each handler may do anything to the connection.
  func reportSettled() {
    while let settled = socket.nextSettled() { settled.report(endReason) }
  }

  /// The kernel has taken everything.
  private func outputSent() {
    if output == .ending {
      SocketCalls.shutdownOutput(of: socket.descriptor)
      output = .ended
      if isInUse, input == .reported { finish(.endOfInput) }
    }
    if case .closing(let reason, let timer) = state {
      timer?.cancel()
      linger(reason)
    }
  }

  private func resumeWriters() {
    guard !writers.isEmpty else { return }
    let due = writers.filter { output == .broken || hasSent(downTo: $0.memoryByteCount) }
    writers.removeAll { output == .broken || hasSent(downTo: $0.memoryByteCount) }
    for writer in due { writer.resume() }
  }
}
