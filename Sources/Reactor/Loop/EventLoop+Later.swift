internal import PosixAIO
internal import SystemPackage

/// A call that is to be made soon: in a structure, since a closure that is an array's element as it
/// is gets another one around it.
package struct DueCall {
  package let body: () -> Void

  package init(body: @escaping () -> Void) {
    self.body = body
  }
}

extension EventLoop {
  /// Calls `body` in the next turn of the loop: what has an answer at once does not give it from
  /// inside the call that asks.
  func later(_ body: @escaping () -> Void) {
    sockets.callLater(body)
  }

  /// Reports what was refused like any other failure, in the next turn of the loop.
  func refuse<Value>(
    _ operation: FileError.Operation, _ path: FilePath?, _ errno: Errno,
    _ handler: @escaping (Result<Value, FileError>) -> Void
  ) {
    let error = FileError(operation: operation, path: path, errno: errno)
    later { handler(.failure(error)) }
  }
}
