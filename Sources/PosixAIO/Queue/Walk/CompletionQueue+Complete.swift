internal import Glibc
internal import SystemPackage

/// Step 4 of a request: it leaves the counts, its slot becomes free, and then its handler is
/// called.
extension CompletionQueue {
  /// Ends a request. `drain` will call its handler; an abandoned request has none any more and is
  /// freed at once.
  func finish(_ request: RequestRef) {
    hot.deadlines.remove(request)
    if request.pointee.kind == .write { writeFinished(request) }
    guard !request.isAbandoned else { return discard(request) }
    addToFinished(request)
    if hot.finished.count == 1 { wake() }
  }

  private func writeFinished(_ request: RequestRef) {
    guard let file = request.pointee.file else { return }
    let errorNumber = request.pointee.errorNumber
    let isFailure = errorNumber != 0 && !request.wasCanceled
    if isFailure, file.failureNumber == 0 { file.failureNumber = errorNumber }
    file.barrier.writeFinished(epoch: request.pointee.epoch, isFailure: isFailure)
    startDueSync(file)
  }

  /// Calls the handlers of the first `count` finished requests. Each slot is free before its
  /// handler runs, so that the handler may do anything.
  func completeFinished(_ count: Int) {
    for _ in 0..<count {
      guard let request = popFinished() else { return }
      hot.counters.completedCount += 1
      complete(request)
    }
  }

  private func complete(_ request: RequestRef) {
    let file = request.pointee.file.take()
    let handler = request.pointee.handler.take()
    switch handler {
    case .transfer(let handler):
      completeTransfer(request, file, handler)
    case .lentRead(let handler):
      let result = transferResult(of: request, file)
      unsafe request.pointee.lent = nil
      freeMemory(of: request)
      free(request)
      handler(result)
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
    // After the handler, so that a file closes only when all its handlers have returned.
    file?.requestEnded()
  }

  private func completeTransfer(
    _ request: RequestRef, _ file: AIOFile?, _ handler: TransferHandler
  ) {
    let doneCount = request.pointee.doneCount
    let isRead = request.pointee.kind == .read
    let validCount = isRead ? doneCount : request.pointee.byteCount
    let result = transferResult(of: request, file)
    let memory = request.pointee.memory.take()
    free(request)
    if let memory {
      hot.heldByteCount -= memory.capacity
      handler(result, IOBuffer(memory, count: validCount))
    } else {
      // Completed early: glibc still owns the memory.
      handler(result, .placeholder())
    }
  }

  private func transferResult(
    of request: RequestRef, _ file: AIOFile?
  ) -> Result<Int, FileError> {
    guard request.pointee.errorNumber == 0 else { return .failure(error(of: request, file)) }
    hot.counters.transferredByteCount += UInt64(request.pointee.doneCount)
    return .success(request.pointee.doneCount)
  }

  private func freeMemory(of request: RequestRef) {
    guard let memory = request.pointee.memory.take() else { return }
    hot.heldByteCount -= memory.capacity
    _ = IOBuffer(memory, count: 0)
  }

  /// Frees an abandoned request, or one whose queue retires, without calling a handler.
  func discard(_ request: RequestRef) {
    let file = request.pointee.file.take()
    freeMemory(of: request)
    free(request)
    file?.requestEnded()
  }

  private func error(of request: RequestRef, _ file: AIOFile?) -> FileError {
    let isAppended = request.pointee.kind == .write && file?.traits.isAppending ?? false
    let hasOffset = request.pointee.kind.isTransfer && !isAppended
    return FileError(
      operation: request.operation, path: file?.path,
      offset: hasOffset ? request.pointee.offset : nil,
      byteCountDone: request.pointee.doneCount,
      errno: Errno(rawValue: request.pointee.errorNumber))
  }
}

extension RequestRef {
  var operation: FileError.Operation {
    switch pointee.kind {
    case .read, .syncMarker: .read
    case .write: .write
    case .sync: .sync
    case .dataSync: .dataSync
    case .detach: .close
    }
  }
}
