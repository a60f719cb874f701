internal import CPosixAIO
internal import Glibc
internal import SystemPackage

/// Step 1 of a request: it is checked, gets a slot, and waits with its file.
extension CompletionQueue {
  func enqueueTransfer(
    _ kind: Request.Kind, _ file: AIOFile, _ buffer: consuming IOBuffer, byteCount: Int,
    at offset: Int64, timeout: Duration?, _ handler: @escaping TransferHandler
  ) throws(Errno) -> RequestID {
    let offset = try checkTransfer(
      kind, file, buffer, byteCount: byteCount, at: offset, timeout: timeout)
    return admitTransfer(
      kind, file, buffer, byteCount: byteCount, at: offset, timeout: timeout, handler)
  }

  /// Refuses what ``admitTransfer(_:_:_:byteCount:at:timeout:_:)`` would not be able to accept.
  ///
  /// - Returns: The offset to use.
  func checkTransfer(
    _ kind: Request.Kind, _ file: AIOFile, _ buffer: borrowing IOBuffer, byteCount: Int,
    at offset: Int64, timeout: Duration?
  ) throws(Errno) -> Int64 {
    let offset = try checkedOffset(kind, file, offset, byteCount)
    try checkRoom(file, buffer.capacity, timeout)
    // Each would complete with 0 bytes, like a read at the end of the file, or a successful write.
    let lacksMemory = kind == .read ? buffer.capacity == 0 : buffer.isPlaceholder
    guard !lacksMemory else { throw .noBufferSpace }
    return offset
  }

  /// Accepts a transfer that was checked.
  func admitTransfer(
    _ kind: Request.Kind, _ file: AIOFile, _ buffer: consuming IOBuffer, byteCount: Int,
    at offset: Int64, timeout: Duration?, _ handler: @escaping TransferHandler
  ) -> RequestID {
    let request = makeRequest(kind, file, timeout)
    request.pointee.handler = .transfer(handler)
    request.pointee.offset = offset
    request.pointee.byteCount = byteCount
    hot.heldByteCount += buffer.capacity
    request.pointee.memory = buffer.moveToRequest()
    if kind == .write { request.pointee.epoch = file.barrier.writeEnqueued() }
    addToWaiting(request, of: file)
    makeReady(file)
    return RequestID(request, queue: number)
  }

  func enqueueSync(
    _ kind: Request.Kind, _ file: AIOFile, timeout: Duration?, _ handler: @escaping SyncHandler
  ) throws(Errno) -> RequestID {
    try checkRoom(file, 0, timeout)
    let request = makeRequest(kind, file, timeout)
    request.pointee.handler = .sync(handler)
    markParked(request)
    file.barrier.park(request)
    startDueSync(file)
    return RequestID(request, queue: number)
  }

  func enqueueDetach(_ file: AIOFile, _ handler: @escaping (ClosingDescriptors) -> Void) {
    // A retired queue is never drained again, so only here is a handler called at once.
    if stage == .retired { return handler(file.surrenderAfterTheEnd()) }
    let request = makeRequest(.detach, file, nil)
    request.pointee.handler = .detach(handler)
    markParked(request)
    file.park(detach: request)
    if stage == .ending { cancelHeldDetach(of: file) }
  }

  /// Completes a close or detach that has nothing left to do.
  ///
  /// - Parameter errorNumber: The outcome, 0 for success.
  func enqueueOutcome(
    _ errorNumber: Int32, of file: AIOFile, _ handler: @escaping SyncHandler
  ) {
    // Called at once, as in `enqueueDetach`.
    if stage == .retired {
      let error = FileError(
        operation: .close, path: file.path, errno: Errno(rawValue: errorNumber))
      return handler(errorNumber == 0 ? .success(()) : .failure(error))
    }
    let request = makeRequest(.detach, file, nil)
    request.pointee.handler = .sync(handler)
    setOutcome(request, errorNumber, isCancellation: false)
    finish(request)
  }

  /// Adds a file to those that have something to submit, and makes the loop drain.
  func makeReady(_ file: AIOFile) {
    guard !file.isReady else { return }
    file.isReady = true
    hot.ready.append(file)
    wake()
  }

  /// The offset to use. Offset plus byte count never exceeds `Int64.max`.
  private func checkedOffset(
    _ kind: Request.Kind, _ file: AIOFile, _ offset: Int64, _ byteCount: Int
  ) throws(Errno) -> Int64 {
    guard offset >= 0 else { throw .invalidArgument }
    // Appends go to the end, whatever the caller passes.
    if kind == .write, file.traits.isAppending { return 0 }
    let last = Int64.max - Int64(byteCount)
    // Pipes and sockets have no position, so any offset is fine.
    guard offset <= last || file.traits.mayBlockForever else { throw .invalidArgument }
    return min(offset, last)
  }

  private func checkRoom(
    _ file: AIOFile, _ byteCount: Int, _ timeout: Duration?
  ) throws(Errno) {
    checkThread()
    if let timeout {
      require(timeout > .zero, "AIOFile: a timeout must be greater than 0")
    }
    guard file.isOpen else { throw .badFileDescriptor }
    guard stage == .open else { throw .canceled }
    guard !caio_is_forked_child() else { throw .notSupported }
    guard hasRoom(for: byteCount) else { throw .resourceTemporarilyUnavailable }
  }

  private func makeRequest(
    _ kind: Request.Kind, _ file: AIOFile, _ timeout: Duration?
  ) -> RequestRef {
    if !hot.isDraining { hot.now = system.now() }
    let request = pool.allocate()
    request.pointee.kind = kind
    admit(request, of: file)
    request.pointee.enqueuedAt = hot.now
    if let timeout {
      // `hot.now` is the start of the drain, and handlers may have taken long since.
      request.pointee.deadline = system.now() &+ timeout.wholeNanoseconds
      hot.deadlines.insert(request)
      // The drain that this causes arms the timer.
      wake()
    }
    return request
  }
}
