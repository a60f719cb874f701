public import PosixAIO
public import SystemPackage

extension Connection {
  /// Sends a copy of bytes, in the order of the calls, as the peer takes them. Wraps `send(2)` and
  /// `sendmsg(2)`, both with `MSG_NOSIGNAL`.
  ///
  /// - Parameter bytes: Any number of them, 0 included.
  /// - Throws: `EPIPE` when the connection is closed or closing, or its output shut down;
  ///   `ECANCELED` when the loop's end has closed it; `ENOBUFS` over
  ///   ``Configuration/outputLimitByteCount``. Then nothing of it is sent.
  public func write(_ bytes: RawSpan) throws(Errno) {
    try unsafe bytes.withUnsafeBytes { bytes throws(Errno) in try unsafe write(copying: bytes) }
  }

  /// As ``write(_:)-(RawSpan)``. Sends the bytes that the collection gives, whatever its `count`
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

  /// Sends a buffer's valid bytes. 4 KiB or more are not copied: their memory is freed when it was
  /// sent, or when the connection is closed. Wraps `send(2)` and `sendmsg(2)`.
  ///
  /// - Parameter buffer: Moves in.
  /// - Throws: As ``write(_:)-(RawSpan)``.
  public func write(_ buffer: consuming IOBuffer) throws(Errno) {
    try checkWrite(buffer.count)
    stream.write(buffer)
    noteWrite()
  }

  /// What became of a buffer that a connection has given back.
  public enum WriteOutcome: Equatable, Sendable {
    /// The kernel has taken all its bytes.
    case sent
    /// The connection was closed before that. Some of the bytes may have been sent.
    case connectionClosed
    /// Nothing was sent: `EPIPE`, `ECANCELED` or `ENOBUFS`, as ``write(_:)-(RawSpan)`` throws them.
    case refused(Errno)
  }

  /// Gets back a buffer, as it was written.
  public typealias BufferHandler = (_ outcome: WriteOutcome, _ buffer: consuming IOBuffer) -> Void

  /// Sends a buffer's valid bytes, in the order of the calls, and gives the buffer back. It is
  /// never copied, whatever its size. Wraps `send(2)` and `sendmsg(2)`.
  ///
  /// - Parameters:
  ///   - buffer: Moves in; comes back unchanged, as soon as the kernel has its bytes. It may be
  ///     empty.
  ///   - whenSent: Called once, from the loop and never from inside this call, in the order of the
  ///     writes that were not refused. When the connection is closed first, also by the end of its
  ///     loop, it comes before ``onClose``. A refusal comes in the next turn; see ``EventLoop``.
  public func write(
    _ buffer: consuming IOBuffer, _ whenSent: @escaping BufferHandler
  ) {
    if let reason = refusal(ofBytes: buffer.count) {
      let box = MoveBox(buffer)
      return core.complete { whenSent(.refused(reason), box.take()) }
    }
    stream.write(buffer, whenSent)
    noteWrite()
  }

  /// The bytes of all writes that the kernel has taken.
  package var sentByteCount: Int64 { stream.sentByteCount }

  /// Of those, what the peer's kernel has taken, too. Wraps `SIOCOUTQ`.
  package var acknowledgedByteCount: Int64 {
    sentByteCount - Int64(SocketCalls.unacknowledgedByteCount(of: stream.descriptor))
  }

  /// Sends a range of a file, in the order of the calls. What is in the page cache is not copied,
  /// unless it is small, and the loop does not wait for the disk: see
  /// ``EventLoop/Configuration/sendsFilesWithoutCopy``. Wraps `preadv2(2)` with `RWF_NOWAIT` for up
  /// to 16 KiB, else `sendfile(2)`, and the operation of `aio_read(3)` for what is not cached.
  ///
  /// The file may be closed or dropped at once; it ends when the range was sent. The bytes are
  /// those that are in the file at a moment between this call and the completion: a program that
  /// changes them in place meanwhile may change what the peer gets, even after the completion.
  ///
  /// A range counts in ``pendingByteCount``, and neither for ``isCongested`` nor for the limit: it
  /// takes no memory of the connection's. Only a small one is copied at once, and counts then, if
  /// no more than ``Configuration/outputLowWaterByteCount`` waits with it.
  ///
  /// When the file is closed, cannot be read or has become shorter than the range, nothing more can
  /// be sent, since it would be in the wrong place: what was written after the range stays unsent,
  /// further writes throw `EPIPE`, and ``close()->()`` closes at once, with `EIO` as the reason.
  /// Close or abort the connection then, so that the peer sees that it did not get everything.
  ///
  /// - Parameters:
  ///   - file: Of the same loop, open for reading.
  ///   - range: In bytes from the file's start, 0 or more. It may be empty.
  ///   - configuration: How far to read ahead what is not in the page cache.
  ///   - whenSent: Called once, from the loop and never from inside this call, in the order of the
  ///     writes: with the number of bytes when the kernel has taken all of them. A failure says how
  ///     many it took before: ``PumpError/Reason/endOfFile``, ``PumpError/Reason/file(_:)``, or
  ///     ``PumpError/Reason/connection(_:)`` when the connection is closed first, also by the end
  ///     of its loop; that comes before ``onClose``. A connection that takes no more output fails
  ///     in the same way in the next turn; see ``EventLoop``.
  public func write(
    _ file: File, _ range: Range<Int64>,
    configuration: FileReader.Configuration = FileReader.Configuration(),
    _ whenSent: Pump.Handler? = nil
  ) {
    guard acceptsRange(of: file, whenSent) else { return }
    let copying = stream.copy(
      range, of: file, memoryLimit: self.configuration.outputLowWaterByteCount, whenSent)
    if case .done = copying { return noteWrite() }
    let outgoing = OutgoingRange(file, range, mayEndEarlier: false, configuration, whenSent)
    if case .missed = copying { outgoing.doubtSmallRange() }
    write(outgoing)
  }

  /// Whether a range of a file can become part of the output now; otherwise its owner is told.
  func acceptsRange(of file: File, _ whenSent: Pump.Handler?) -> Bool {
    let refusal = refusal(ofBytes: 0)
    require(file.core === core, "Connection: a file of another loop cannot be sent")
    guard refusal != nil else { return true }
    guard let whenSent else { return false }
    core.complete { [self] in
      // Without a reason it is about to close, or its output was ended, from this side.
      whenSent(.failure(PumpError(.connection(endReason ?? .local), byteCountDone: 0)))
    }
    return false
  }

  /// Makes a range part of the output, after ``acceptsRange(of:_:)``.
  func write(_ range: OutgoingRange) {
    stream.write(range)
    noteWrite()
  }

  /// Sends nothing more of a range. Its owner is told before this returns.
  func cancel(_ range: OutgoingRange) {
    stream.remove(range, .canceled)
    outputMoved()
  }

  /// The bytes that were written and that the kernel has not taken, those of files' ranges among
  /// them; when the connection is closed, those that it never will have.
  public var pendingByteCount: Int {
    checkThread()
    return unsentByteCount
  }

  /// As ``pendingByteCount``, for whoever is on the loop's thread for certain.
  package var unsentByteCount: Int { stream.outputByteCount }

  /// Ends this side when everything was sent; the peer sees the end of its input. Input goes on.
  /// When the peer has ended, too, the connection closes. Wraps `shutdown(2)`.
  ///
  /// Does nothing when this side has ended already.
  public func shutdownOutput() {
    checkThread()
    guard isInUse, output == .open else { return }
    output = .ending
    if stream.isOutputEmpty { sockets.callLater { [self] in outputMoved() } }
  }

  /// As ``write(_:)-(RawSpan)``, for a writer who will most likely write so many bytes more, which
  /// then lie in the same memory.
  package func write(_ bytes: RawSpan, followingByteCount: Int) throws(Errno) {
    try checkWrite(bytes.byteCount)
    unsafe bytes.withUnsafeBytes {
      unsafe stream.write($0, followingByteCount: followingByteCount)
    }
    noteWrite()
  }

  private func write(copying bytes: UnsafeRawBufferPointer) throws(Errno) {
    try checkWrite(bytes.count)
    unsafe stream.write(bytes)
    noteWrite()
  }

  /// For a closure of the standard library, which does not throw an `Errno`.
  private func outcome(ofCopying bytes: UnsafeRawBufferPointer) -> Result<Void, Errno> {
    Result { () throws(Errno) in try unsafe write(copying: bytes) }
  }

  /// Whether a write would be taken.
  package var acceptsBytes: Bool { isInUse && output == .open }

  private func checkWrite(_ byteCount: Int) throws(Errno) {
    if let reason = refusal(ofBytes: byteCount) { throw reason }
  }

  private func refusal(ofBytes byteCount: Int) -> Errno? {
    checkThread()
    guard acceptsBytes else { return core.isEnding ? .canceled : .brokenPipe }
    return byteCount <= room ? nil : .noBufferSpace
  }

  /// How many more bytes may wait.
  private var room: Int { configuration.outputLimitByteCount - stream.outputMemoryByteCount }

  private func noteWrite() {
    writeCount += 1
    outputIsReady()
    if stream.outputMemoryByteCount > configuration.outputHighWaterByteCount {
      hasTooMuchOutput = true
    }
  }

  /// Whether so much was sent that no more bytes than that wait in memory; nil asks for all.
  func hasSent(downTo memoryByteCount: Int?) -> Bool {
    memoryByteCount.map { stream.outputMemoryByteCount <= $0 } ?? stream.isOutputEmpty
  }

  /// The bytes that come next are there.
  func outputIsReady() {
    if stream.beginSending() { sockets.sendLater(stream) }
  }

  func outputBroke(_ reason: PumpError.Reason) {
    output = .broken
    brokenReason = reason
  }

  func outputMoved() {
    tellOwners()
    if let reason = brokenReason.take() { onOutputFailure?(reason) }
    if stream.sentByteCount > reportedByteCount {
      reportedByteCount = stream.sentByteCount
      onProgress?()
    }
    // Either may have closed it.
    if case .closed = state { return }
    if output == .broken, !isInUse { return finish(.failed(.ioError)) }
    if stream.isOutputEmpty { outputSent() }
    resumeWriters()
    guard isInUse, hasTooMuchOutput, hasSent(downTo: configuration.outputLowWaterByteCount) else {
      return
    }
    hasTooMuchOutput = false
    onDrainedHandler?(self)
  }

  /// One by one, since each owner may do anything to the connection.
  func tellOwners() {
    while let settled = stream.nextSettled() { settled.tell(endReason) }
  }

  /// The kernel has everything.
  private func outputSent() {
    if output == .ending {
      SocketCalls.shutdownOutput(of: stream.descriptor)
      output = .ended
      if isInUse, input == .told { finish(.endOfInput) }
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
