internal import PosixAIO
package import SystemPackage

/// The one door for calls that cannot be accepted. ``EventLoop`` says what users see of it.
extension LoopCore {
  /// Why the loop takes no call from its users any more: `ECANCELED` after its end. Traps on any
  /// thread but the loop's before that.
  package var refusal: Errno? {
    if hasEnded { return .canceled }
    checkThread()
    return nil
  }

  /// Reports the failure of a call that was not started, in the next turn. After the loop's end
  /// there is none, and the report is made at once.
  package func complete(_ report: @escaping () -> Void) {
    if hasEnded { report() } else { later(report) }
  }

  /// As ``complete(_:)``, for a call on files.
  func refuse<Value>(
    _ operation: FileError.Operation, _ path: FilePath?, to otherPath: FilePath? = nil,
    at offset: Int64? = nil, _ errno: Errno,
    _ handler: @escaping (Result<Value, FileError>) -> Void
  ) {
    let error = FileError(
      operation: operation, path: path, otherPath: otherPath, offset: offset, errno: errno)
    complete { handler(.failure(error)) }
  }

  /// As ``complete(_:)``, for a read or write: the buffer goes back with the error.
  func refuse(
    _ operation: FileError.Operation, _ path: FilePath, at offset: Int64?, _ errno: Errno,
    _ buffer: consuming IOBuffer, _ handler: @escaping CompletionQueue.TransferHandler
  ) {
    let error = FileError(operation: operation, path: path, offset: offset, errno: errno)
    let held = Held(buffer)
    complete { handler(.failure(error), held.take() ?? IOBuffer(capacity: 0)) }
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
