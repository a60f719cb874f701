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
  }

  /// Gets back a buffer, as it was written.
  public typealias BufferHandler = (_ outcome: WriteOutcome, _ buffer: consuming IOBuffer) -> Void

  /// Sends a buffer's valid bytes, in the order of the calls, and gives the buffer back. It is never
  /// copied, whatever its size. Wraps `send(2)` and `sendmsg(2)`.
  ///
  /// - Parameters:
  ///   - buffer: Moves in; comes back unchanged, as soon as the kernel has its bytes. It may be
  ///     empty.
  ///   - whenSent: Called once, from the loop and never from inside this call, in the order of the
  ///     writes. When the connection is closed first, also by the end of its loop, it comes before
  ///     ``onClose``.
  /// - Throws: As ``write(_:)-(RawSpan)``. The buffer is gone, and the handler is not called.
  public func write(
    _ buffer: consuming IOBuffer, _ whenSent: @escaping BufferHandler
  ) throws(Errno) {
    try checkWrite(buffer.count)
    stream.write(buffer, whenSent)
    noteWrite()
  }

  /// The bytes of all writes that the kernel has taken.
  package var sentByteCount: Int64 { stream.sentByteCount }

  /// The bytes that were written and that the kernel has not taken; when the connection is closed,
  /// those that it never will have.
  public var pendingByteCount: Int { stream.outputByteCount }

  /// Ends this side when everything was sent; the peer sees the end of its input. Input goes on.
  /// When the peer has ended, too, the connection closes. Wraps `shutdown(2)`.
  ///
  /// Does nothing when this side has ended already.
  public func shutdownOutput() {
    checkThread()
    guard isOpen, output == .open else { return }
    output = .ending
    if stream.isOutputEmpty { sockets.callLater { [self] in outputMoved() } }
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

  private func checkWrite(_ byteCount: Int) throws(Errno) {
    checkThread()
    guard isOpen, output == .open else { throw core.isEnding ? .canceled : .brokenPipe }
    guard byteCount <= room else { throw .noBufferSpace }
  }

  /// How many more bytes may wait.
  private var room: Int { configuration.outputLimitByteCount - stream.outputByteCount }

  private func noteWrite() {
    if stream.beginSending() { sockets.sendLater(stream) }
    if stream.outputByteCount > configuration.outputHighWaterByteCount { isCongested = true }
  }

  func outputMoved() {
    giveBuffersBack()
    if stream.sentByteCount > reportedByteCount {
      reportedByteCount = stream.sentByteCount
      onProgress?()
    }
    // Either may have closed it.
    if case .closed = state { return }
    let byteCount = stream.outputByteCount
    if stream.isOutputEmpty { outputSent() }
    resumeWriters(at: byteCount)
    guard isOpen, isCongested, byteCount <= configuration.outputLowWaterByteCount else { return }
    isCongested = false
    onDrained?(self)
  }

  /// One by one, since each owner may do anything to the connection.
  func giveBuffersBack() {
    while let settled = stream.nextSettled() { settled.tell() }
  }

  /// The kernel has everything.
  private func outputSent() {
    if output == .ending {
      SocketCalls.shutdownOutput(of: stream.descriptor)
      output = .ended
      if isOpen, input == .told { finish(.endOfInput) }
    }
    if case .closing(let reason, let timer) = state {
      timer.cancel()
      linger(reason)
    }
  }

  private func resumeWriters(at byteCount: Int) {
    guard !writers.isEmpty else { return }
    let due = writers.filter { byteCount <= $0.byteCount }
    writers.removeAll { byteCount <= $0.byteCount }
    for writer in due { writer.resume() }
  }
}
