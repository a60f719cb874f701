internal import PosixAIO
package import SystemPackage

/// Reports calls that cannot be accepted. ``EventLoop`` describes the rules for users.
extension LoopCore {
  /// The reason why the loop accepts no calls from users: `ECANCELED` after its end. Before that it
  /// traps on any thread but the loop's.
  package var refusal: Errno? {
    if hasEnded { return .canceled }
    checkThread()
    return nil
  }

  /// Reports the failure of a call that was not started, in the next turn. After the loop's end
  /// there is no next turn, and `report` is called at once. Before that it traps on any thread but
  /// the loop's.
  package func complete(_ report: @escaping () -> Void) {
    if refusal == nil { callNextTurn(report) } else { report() }
  }

  /// As ``complete(_:)``, for a file call.
  func refuse<Value>(
    _ operation: FileError.Operation, _ path: FilePath?, to otherPath: FilePath? = nil,
    at offset: Int64? = nil, _ errno: Errno,
    _ handler: @escaping (Result<Value, FileError>) -> Void
  ) {
    let error = FileError(
      operation: operation, path: path, otherPath: otherPath, offset: offset, errno: errno)
    complete { handler(.failure(error)) }
  }

  /// As ``complete(_:)``, for a read or write: the buffer is returned with the error.
  func refuse(
    _ operation: FileError.Operation, _ path: FilePath, at offset: Int64?, _ errno: Errno,
    _ buffer: consuming IOBuffer, _ handler: @escaping CompletionQueue.TransferHandler
  ) {
    let error = FileError(operation: operation, path: path, offset: offset, errno: errno)
    let box = MoveBox(buffer)
    complete { handler(.failure(error), box.take()) }
  }

  /// Starts a request of the queue that has no buffer, or reports why it was refused.
  func starting(
    _ operation: FileError.Operation, _ path: FilePath,
    _ handler: @escaping CompletionQueue.SyncHandler,
    _ start: () throws(Errno) -> RequestID
  ) -> RequestID {
    do throws(Errno) {
      try checkUse()
      return try start()
    } catch {
      refuse(operation, path, error, handler)
      return .refused
    }
  }
}
