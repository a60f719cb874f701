public import PosixAIO
internal import SystemPackage

extension FileWriter {
  /// Waits until a write of so many bytes would be accepted. Those who wait get their turns in
  /// order.
  ///
  /// - Parameters:
  ///   - byteCount: 0 or more.
  ///   - handler: Called once; what it writes in that turn is accepted. Gets the error of the
  ///     writer, if it has failed, and `EBADF` after ``close(durably:_:)``.
  public func waitForRoom(
    _ byteCount: Int, _ handler: @escaping CompletionQueue.SyncHandler
  ) {
    require(byteCount >= 0, "FileWriter: a number of bytes is 0 or more")
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

  /// Tells somebody who does not want to wait any more so, unless they were told before.
  func cancel(_ waiter: RoomWaiter) {
    guard let index = roomWaiters.firstIndex(where: { $0 === waiter }) else { return }
    roomWaiters.remove(at: index)
    waiter.handler(.failure(FileError(operation: .write, path: currentFile.path, errno: .canceled)))
  }

  /// Somebody who waits for room.
  final class RoomWaiter {
    let byteCount: Int
    fileprivate let handler: CompletionQueue.SyncHandler

    fileprivate init(_ byteCount: Int, _ handler: @escaping CompletionQueue.SyncHandler) {
      self.byteCount = byteCount
      self.handler = handler
    }
  }

  /// Calls the first of those who wait for room, as many as there is room for; not those who come
  /// meanwhile.
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
