public import PosixAIO
internal import SystemPackage

extension FileWriter {
  /// Waits until a write of `byteCount` bytes would be accepted. Waiters are called in order.
  ///
  /// - Parameters:
  ///   - byteCount: The number of bytes, 0 or more.
  ///   - handler: Called once; a write of that many bytes inside it is accepted. Gets the writer's
  ///     error if it has failed, and `EBADF` after ``close(durably:_:)``.
  public func waitForRoom(
    _ byteCount: Int, _ handler: @escaping CompletionQueue.SyncHandler
  ) {
    require(byteCount >= 0, "FileWriter: a number of bytes must be 0 or more")
    if let refusal = core.refusal {
      return core.refuse(.write, currentFile.path, refusal, handler)
    }
    addRoomWaiter(byteCount, handler)
  }

  @discardableResult
  func addRoomWaiter(
    _ byteCount: Int, _ handler: @escaping CompletionQueue.SyncHandler
  ) -> RoomWaiter {
    let waiter = RoomWaiter(byteCount, handler)
    roomWaiters.append(waiter)
    core.callNextTurn { [self] in callRoomWaiters() }
    return waiter
  }

  /// Cancels a waiter, which gets `ECANCELED` if it was not called yet.
  func cancel(_ waiter: RoomWaiter) {
    guard let index = roomWaiters.firstIndex(where: { $0 === waiter }) else { return }
    roomWaiters.remove(at: index)
    waiter.handler(.failure(FileError(operation: .write, path: currentFile.path, errno: .canceled)))
  }

  /// A caller that waits for room.
  final class RoomWaiter {
    let byteCount: Int
    fileprivate let handler: CompletionQueue.SyncHandler

    fileprivate init(_ byteCount: Int, _ handler: @escaping CompletionQueue.SyncHandler) {
      self.byteCount = byteCount
      self.handler = handler
    }
  }

  /// Calls the waiters that there is room for, in order; not those added meanwhile.
  func callRoomWaiters() {
    for _ in roomWaiters.indices {
      guard let first = roomWaiters.first else { return }
      let result: Result<Void, FileError>
      switch state {
      case .open:
        guard takes(first.byteCount) else { return }
        result = .success(())
      case .failed(let error), .closed(let error?): result = .failure(error)
      case .closing, .closed(nil): result = .failure(closedError)
      }
      roomWaiters.removeFirst()
      first.handler(result)
    }
  }
}
