internal import CPosixAIO
internal import Glibc
internal import SystemPackage

/// Names a request of one queue while it is unfinished, to cancel it. A name is not used again.
public struct RequestID: Hashable, Sendable {
  let index: UInt32
  let use: UInt32
  /// The number of its queue.
  let queue: UInt32

  init(_ request: RequestRef, queue: UInt32) {
    self.queue = queue
    index = request.pointee.index
    use = request.pointee.use
  }
}

/// The way in.
extension CompletionQueue {
  func acceptTransfer(
    _ kind: Request.Kind, _ file: AIOFile, _ buffer: consuming IOBuffer, byteCount: Int,
    at offset: Int64, timeout: Duration?, _ handler: @escaping TransferHandler
  ) throws(Errno) -> RequestID {
    let offset = try checkTransfer(
      kind, file, buffer.capacity, byteCount: byteCount, at: offset, timeout: timeout)
    return admitTransfer(
      kind, file, buffer, byteCount: byteCount, at: offset, timeout: timeout, handler)
  }

  /// Refuses what ``admitTransfer(_:_:_:byteCount:at:timeout:_:)`` would not be able to accept.
  ///
  /// - Returns: The offset to use.
  func checkTransfer(
    _ kind: Request.Kind, _ file: AIOFile, _ capacity: Int, byteCount: Int, at offset: Int64,
    timeout: Duration?
  ) throws(Errno) -> Int64 {
    let offset = try checkedOffset(kind, file, offset, byteCount)
    try checkRoom(file, capacity, timeout)
    return offset
  }

  /// Accepts a transfer that was checked.
  func admitTransfer(
    _ kind: Request.Kind, _ file: AIOFile, _ buffer: consuming IOBuffer, byteCount: Int,
    at offset: Int64, timeout: Duration?, _ handler: @escaping TransferHandler
  ) -> RequestID {
    let request = take(kind, file, timeout)
    request.pointee.handler = .transfer(handler)
    request.pointee.validCount = buffer.count
    request.pointee.offset = offset
    request.pointee.byteCount = byteCount
    books.heldByteCount += buffer.capacity
    unsafe request.pointee.memory = buffer.relinquish()
    if kind == .write { request.pointee.epoch = file.barrier.writeAccepted() }
    putWaiting(request, of: file)
    makeReady(file)
    return RequestID(request, queue: number)
  }

  func acceptSync(
    _ kind: Request.Kind, _ file: AIOFile, timeout: Duration?, _ handler: @escaping SyncHandler
  ) throws(Errno) -> RequestID {
    try checkRoom(file, 0, timeout)
    let request = take(kind, file, timeout)
    request.pointee.handler = .sync(handler)
    putParked(request)
    file.barrier.park(request)
    startDueSync(file)
    return RequestID(request, queue: number)
  }

  func acceptDetach(_ file: AIOFile, _ handler: @escaping (ClosingDescriptors) -> Void) {
    // Nobody drains any more, so this is the one handler that is called at once.
    if stage == .retired { return handler(file.surrenderAfterTheEnd()) }
    let request = take(.detach, file, nil)
    request.pointee.handler = .detach(handler)
    putParked(request)
    file.park(detach: request)
    if stage == .ending { cancelHeldDetach(of: file) }
  }

  /// Lets a file take its turn.
  func makeReady(_ file: AIOFile) {
    guard !file.isReady else { return }
    file.isReady = true
    books.ready.append(file)
    wake()
  }

  /// The offset to use: one whose sum with the byte count is a place in a file.
  private func checkedOffset(
    _ kind: Request.Kind, _ file: AIOFile, _ offset: Int64, _ byteCount: Int
  ) throws(Errno) -> Int64 {
    guard offset >= 0 else { throw .invalidArgument }
    // What is appended goes to the end, whatever is said here.
    if kind == .write, file.traits.isAppending { return 0 }
    let last = Int64.max - Int64(byteCount)
    // Most streams have no places, so that any will do.
    guard offset <= last || file.traits.isStream else { throw .invalidArgument }
    return min(offset, last)
  }

  private func checkRoom(
    _ file: AIOFile, _ byteCount: Int, _ timeout: Duration?
  ) throws(Errno) {
    if let timeout {
      require(timeout > .zero, "AIOFile: a timeout is more than 0")
    }
    guard file.isOpen else { throw .badFileDescriptor }
    guard stage == .open else { throw .canceled }
    guard !caio_is_forked_child() else { throw .notSupported }
    guard hasRoom(forBytes: byteCount) else { throw .resourceTemporarilyUnavailable }
  }

  private func take(_ kind: Request.Kind, _ file: AIOFile, _ timeout: Duration?) -> RequestRef {
    if !books.isDraining { books.now = system.now() }
    let request = pool.take()
    request.pointee.kind = kind
    admit(request, of: file)
    request.pointee.acceptedAt = books.now
    if let timeout {
      // `now` is the start of the turn, and handlers may have taken long.
      request.pointee.deadline = system.now() &+ timeout.wholeNanoseconds
      books.deadlines.insert(request)
      // The timer is armed at the end of the drain that this wakes.
      wake()
    }
    return request
  }
}
