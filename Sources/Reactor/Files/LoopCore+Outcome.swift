internal import PosixAIO
internal import SystemPackage

/// Converts callback forms to async ones. After the loop's end each throws `ECANCELED` and starts
/// nothing.
extension LoopCore {
  /// Awaits a call that runs to its end once started, even if the task is cancelled. If the task is
  /// already cancelled, the call is not started.
  nonisolated(nonsending) func outcome<Value>(
    _ operation: FileError.Operation, _ path: FilePath?, to otherPath: FilePath? = nil,
    _ start: (@escaping (Result<Value, FileError>) -> Void) -> Void
  ) async throws(FileError) -> Value {
    try checkStart(operation, path, to: otherPath)
    let promise = Promise<Value, FileError>(on: self)
    start { promise.finish($0) }
    return try await promise.value(cancel: {})
  }

  /// Awaits a request of the queue. When its task is cancelled, it throws `ECANCELED` at once, and
  /// the buffer stays alive until the kernel no longer uses it.
  nonisolated(nonsending) func outcome<Value: ~Copyable>(
    _ operation: FileError.Operation, _ path: FilePath?, at offset: Int64? = nil,
    _ start: (Promise<Value, FileError>) -> RequestID
  ) async throws(FileError) -> Value {
    try checkStart(operation, path, at: offset)
    let promise = Promise<Value, FileError>(on: self)
    let id = start(promise)
    return try await promise.value(cancelling: id, abandoning: true)
  }

  /// Awaits work that stops when its task is cancelled.
  nonisolated(nonsending) func workOutcome<Value: ~Copyable>(
    _ operation: FileError.Operation, _ path: FilePath?,
    _ start: (Promise<Value, FileError>) -> FileWork
  ) async throws(FileError) -> Value {
    try checkUse(operation, path)
    let promise = Promise<Value, FileError>(on: self)
    let work = start(promise)
    if Task.isCancelled { work.cancel() }
    return try await promise.value(cancel: work.cancel)
  }

  /// Awaits a call that closes an object, even in a cancelled task. After the loop's end its
  /// handler is called at once.
  nonisolated(nonsending) func closing(
    _ start: (@escaping CompletionQueue.SyncHandler) -> Void
  ) async throws(FileError) {
    guard !hasEnded else {
      var result: Result<Void, FileError>?
      start { result = $0 }
      return try result?.get() ?? ()
    }
    let promise = Promise<Void, FileError>(on: self)
    start { promise.finish($0) }
    try await promise.value(cancel: {})
  }

  /// As ``checkUse()``.
  func checkUse(
    _ operation: FileError.Operation, _ path: FilePath?
  ) throws(FileError) {
    guard let refusal else { return }
    throw FileError(operation: operation, path: path, errno: refusal)
  }

  /// As ``checkUse()``; also throws in a cancelled task.
  func checkStart(
    _ operation: FileError.Operation, _ path: FilePath?, to otherPath: FilePath? = nil,
    at offset: Int64? = nil
  ) throws(FileError) {
    guard refusal != nil || Task.isCancelled else { return }
    throw FileError(
      operation: operation, path: path, otherPath: otherPath, offset: offset, errno: .canceled)
  }
}

extension Promise where Failure == FileError, Value: ~Copyable {
  /// Sets the result of a transfer, with the buffers if it succeeded.
  func finish(_ result: Result<Int, FileError>, _ value: consuming Value) {
    switch result {
    case .success: finish(.success(value))
    case .failure(let error): finish(.failure(error))
    }
  }
}
