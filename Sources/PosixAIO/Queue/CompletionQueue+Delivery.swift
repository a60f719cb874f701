internal import Glibc
internal import SystemPackage

/// The end of a request: its books are closed, then its handler is called.
extension CompletionQueue {
  /// Closes a request's books. Its handler is called by `drain`, unless it was answered before.
  func finish(_ request: RequestRef) {
    books.deadlines.remove(request)
    if request.pointee.kind == .write { writeFinished(request) }
    guard !request.isAbandoned else { return discard(request) }
    putFinished(request)
    if books.finished.count == 1 { wake() }
  }

  private func writeFinished(_ request: RequestRef) {
    guard let file = request.pointee.file else { return }
    let errorNumber = request.pointee.errorNumber
    let isFailure = errorNumber != 0 && !request.wasCanceled
    if isFailure, file.failureNumber == 0 { file.failureNumber = errorNumber }
    file.barrier.writeFinished(epoch: request.pointee.epoch, isFailure: isFailure)
    startDueSync(file)
  }

  /// Calls the handlers of the first finished requests. A slot is free before its handler runs, so
  /// that the handler may do anything.
  func deliver(_ count: Int) {
    for _ in 0..<count {
      guard let request = takeFinished() else { return }
      books.counters.completedCount += 1
      deliver(request)
    }
  }

  private func deliver(_ request: RequestRef) {
    let file = request.pointee.file.take()
    let handler = request.pointee.handler.take()
    switch handler {
    case .transfer(let handler):
      deliver(request, file, handler)
    case .sync(let handler):
      let result: Result<Void, FileError> =
        request.pointee.errorNumber == 0 ? .success(()) : .failure(error(of: request, file))
      free(request)
      handler(result)
    case .detach(let handler):
      let errorNumber = request.pointee.errorNumber
      free(request)
      if errorNumber != 0 {
        handler(ClosingDescriptors(refused: Errno(rawValue: errorNumber)))
      } else if let file {
        handler(file.surrenderDescriptors())
      }
    case nil:
      free(request)
    }
    // After the handler, so that a file that is being closed has seen all its requests through.
    file?.requestEnded()
  }

  private func deliver(_ request: RequestRef, _ file: AIOFile?, _ handler: TransferHandler) {
    let doneCount = request.pointee.doneCount
    let isRead = request.pointee.kind == .read
    let validCount = isRead ? doneCount : request.pointee.validCount
    let result: Result<Int, FileError>
    if request.pointee.errorNumber == 0 {
      result = .success(doneCount)
      books.counters.transferredByteCount += UInt64(doneCount)
    } else {
      result = .failure(error(of: request, file))
    }
    let memory = unsafe request.pointee.memory.take()
    free(request)
    if let memory = unsafe memory {
      books.heldByteCount -= memory.count
      handler(result, unsafe IOBuffer(adopting: memory, count: validCount))
    } else {
      // Answered early: glibc has the memory still.
      handler(result, IOBuffer(capacity: 0))
    }
  }

  /// Frees what belongs to a request that nobody waits for any more.
  func discard(_ request: RequestRef) {
    let file = request.pointee.file.take()
    if let memory = unsafe request.pointee.memory.take() {
      books.heldByteCount -= memory.count
      _ = unsafe IOBuffer(adopting: memory, count: 0)
    }
    free(request)
    file?.requestEnded()
  }

  private func error(of request: RequestRef, _ file: AIOFile?) -> FileError {
    let isAppended = request.pointee.kind == .write && file?.traits.isAppending ?? false
    let hasPlace = request.pointee.kind.isTransfer && !isAppended
    return FileError(
      operation: request.operation, path: file?.path,
      offset: hasPlace ? request.pointee.offset : nil,
      byteCountDone: request.pointee.doneCount,
      errno: Errno(rawValue: request.pointee.errorNumber))
  }
}

extension RequestRef {
  var operation: FileError.Operation {
    switch pointee.kind {
    case .read, .doorbell: .read
    case .write: .write
    case .sync: .sync
    case .dataSync: .dataSync
    case .detach: .close
    }
  }
}
