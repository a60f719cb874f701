public import PosixAIO
public import SystemPackage

extension Connection {
  /// Sends a copy of bytes, in the order of the calls, as the peer takes them. Wraps
  /// `evbuffer_add`.
  ///
  /// - Parameter bytes: Any number of them, 0 included.
  /// - Throws: `EPIPE` when the connection is closed or closing, or its output shut down;
  ///   `ECANCELED` when the loop's end has closed it; `ENOBUFS` over ``Configuration/outputLimitByteCount``. Then nothing of it is sent.
  public func write(_ bytes: RawSpan) throws(Errno) {
    try checkWrite(bytes.byteCount)
    unsafe bytes.withUnsafeBytes { unsafe stream.write($0) }
    noteWrite()
  }

  /// As ``write(_:)-(RawSpan)``.
  public func write(_ bytes: some Collection<UInt8>) throws(Errno) {
    try checkWrite(bytes.count)
    let isDone: Void? = bytes.withContiguousStorageIfAvailable { bytes in
      unsafe stream.write(UnsafeRawBufferPointer(bytes))
    }
    if isDone == nil { unsafe Array(bytes).withUnsafeBytes { unsafe stream.write($0) } }
    noteWrite()
  }

  /// Sends a buffer's valid bytes. Larger ones are not copied: their memory is freed when they were
  /// sent, or when the connection is closed. Wraps `evbuffer_add_reference`.
  ///
  /// - Parameter buffer: Moves in.
  /// - Throws: As ``write(_:)-(RawSpan)``.
  public func write(_ buffer: consuming IOBuffer) throws(Errno) {
    // Below, a copy costs less than the account of the reference.
    let smallestReferenceByteCount = 4096
    guard buffer.count >= smallestReferenceByteCount else {
      let array = Array(buffer)
      return try write(array)
    }
    try checkWrite(buffer.count)
    stream.write(buffer)
    noteWrite()
  }

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
    if stream.outputByteCount == 0 { sockets.callLater { [self] in outputMoved() } }
  }

  private func checkWrite(_ byteCount: Int) throws(Errno) {
    checkThread()
    guard isOpen, output == .open else { throw core.isEnding ? .canceled : .brokenPipe }
    let room = configuration.outputLimitByteCount - stream.outputByteCount
    guard byteCount <= room else { throw .noBufferSpace }
  }

  private func noteWrite() {
    if stream.beginSending() { sockets.sendLater(stream) }
    if stream.outputByteCount > configuration.outputHighWaterByteCount { isCongested = true }
  }

  func outputMoved() {
    let byteCount = stream.outputByteCount
    if byteCount == 0 { outputSent() }
    resumeWriters(at: byteCount)
    guard isOpen, isCongested, byteCount <= configuration.outputLowWaterByteCount else { return }
    isCongested = false
    onDrained?(self)
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
