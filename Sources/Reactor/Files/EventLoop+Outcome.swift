internal import PosixAIO
internal import SystemPackage

/// How a callback form is awaited.
extension EventLoop {
  /// Awaits a call that runs to its end once it is started, whether the task is cancelled or not. A
  /// task that is cancelled before does not start it.
  nonisolated(nonsending) func outcome<Value>(
    _ operation: FileError.Operation, _ path: FilePath?, to otherPath: FilePath? = nil,
    _ start: (@escaping (Result<Value, FileError>) -> Void) throws(Errno) -> Void
  ) async throws(FileError) -> Value {
    let pending = Pending<Value, FileError>(on: self)
    do throws(Errno) {
      guard !Task.isCancelled else { throw .canceled }
      try start { pending.finish($0) }
    } catch {
      throw FileError(operation: operation, path: path, otherPath: otherPath, errno: error)
    }
    return try await pending.value(cancel: {})
  }

  /// Awaits a request of the queue. A cancelled task gets `ECANCELED` at once, and the buffer stays
  /// alive until the kernel is done with it.
  nonisolated(nonsending) func outcome<Value: ~Copyable>(
    _ operation: FileError.Operation, _ path: FilePath?, at offset: Int64? = nil,
    _ start: (Pending<Value, FileError>) throws(Errno) -> RequestID
  ) async throws(FileError) -> Value {
    let pending = Pending<Value, FileError>(on: self)
    let id: RequestID
    do throws(Errno) {
      guard !Task.isCancelled else { throw .canceled }
      id = try start(pending)
    } catch {
      throw FileError(operation: operation, path: path, offset: offset, errno: error)
    }
    return try await pending.value(cancelling: id, abandoning: true)
  }
}

extension Pending where Failure == FileError, Value: ~Copyable {
  /// Passes on what a transfer gave back, if it succeeded.
  func finish(_ result: Result<Int, FileError>, _ value: consuming Value) {
    switch result {
    case .success: finish(.success(value))
    case .failure(let error): finish(.failure(error))
    }
  }
}
