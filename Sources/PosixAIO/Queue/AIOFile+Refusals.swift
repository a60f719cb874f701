package import SystemPackage

/// Transfers whose buffer comes back when the queue refuses them, for owners that report a refusal
/// to the handler.
extension AIOFile {
  /// Gets a refused buffer back, and the reason.
  package typealias RefusalHandler = (_ reason: Errno, _ buffer: consuming IOBuffer) -> Void

  /// As ``read(into:byteCount:at:timeout:_:)``.
  ///
  /// - Parameter refused: Called before this returns, and `handler` never, if nothing was started.
  /// - Returns: A name for the request; ``RequestID/refused`` after a refusal.
  package func read(
    into buffer: consuming IOBuffer, byteCount: Int?, at offset: Int64, timeout: Duration?,
    _ handler: @escaping CompletionQueue.TransferHandler, refused: RefusalHandler
  ) -> RequestID {
    let byteCount = byteCount ?? buffer.capacity
    Self.check(byteCount, within: buffer.capacity)
    return transfer(
      .read, buffer, byteCount: byteCount, at: offset, timeout: timeout, handler, refused: refused)
  }

  /// Reads into memory of the caller. The page cache is read directly to it; glibc never gets it,
  /// so the request may complete early.
  ///
  /// - Parameters:
  ///   - memory: Filled from its start. Valid until the handler is called, and not used after that.
  ///   - offset: As for ``read(into:byteCount:at:timeout:_:)``, and so are the timeout, the result
  ///     and the errors.
  @unsafe
  package func read(
    lending memory: UnsafeMutableRawBufferPointer, at offset: Int64, timeout: Duration?,
    _ handler: @escaping CompletionQueue.CountHandler
  ) throws(Errno) -> RequestID {
    try unsafe queue.enqueueLentRead(self, memory, at: offset, timeout: timeout, handler)
  }

  /// As ``write(_:at:timeout:_:)``, with the parameters of
  /// ``read(into:byteCount:at:timeout:_:refused:)``.
  package func write(
    _ buffer: consuming IOBuffer, at offset: Int64, timeout: Duration?,
    _ handler: @escaping CompletionQueue.TransferHandler, refused: RefusalHandler
  ) -> RequestID {
    let byteCount = buffer.count
    return transfer(
      .write, buffer, byteCount: byteCount, at: offset, timeout: timeout, handler, refused: refused)
  }

  /// Traps for a byte count that a read cannot use. A buffer of capacity 0 is refused later.
  static func check(_ byteCount: Int, within capacity: Int) {
    require(
      byteCount >= 0 && (byteCount <= capacity || capacity == 0),
      "AIOFile: byteCount must be within 0 and the buffer's capacity")
  }

  private func transfer(
    _ kind: Request.Kind, _ buffer: consuming IOBuffer, byteCount: Int, at offset: Int64,
    timeout: Duration?, _ handler: @escaping CompletionQueue.TransferHandler,
    refused: RefusalHandler
  ) -> RequestID {
    let usedOffset: Int64
    do throws(Errno) {
      usedOffset = try queue.checkTransfer(
        kind, self, buffer, byteCount: byteCount, at: offset, timeout: timeout)
    } catch {
      refused(error, buffer)
      return .refused
    }
    return queue.admitTransfer(
      kind, self, buffer, byteCount: byteCount, at: usedOffset, timeout: timeout, handler)
  }
}

extension RequestID {
  /// The name of a request that was refused: it names nothing, so cancelling it does nothing.
  package static let refused = RequestID(noneOf: 0)

  // Queues count from 1.
  private init(noneOf queue: UInt32) {
    self.queue = queue
    index = 0
    generation = 0
  }
}
