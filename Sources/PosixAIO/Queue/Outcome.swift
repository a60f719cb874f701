internal import Glibc
internal import SystemPackage

/// What a finished request owes its handler, moved out of the request so that the slot is free
/// before the handler runs.
@safe
struct Outcome {
  private let kind: Request.Kind
  private let handler: Request.Handler?
  private let file: AIOFile?
  private let memory: UnsafeMutableRawBufferPointer?
  private let validCount: Int
  private let offset: Int64
  private let doneCount: Int
  private let errorNumber: Int32

  init(taking request: RequestRef) {
    kind = request.pointee.kind
    handler = request.pointee.handler
    file = request.pointee.file
    unsafe memory = request.pointee.memory
    validCount = request.pointee.validCount
    offset = request.pointee.offset
    doneCount = request.pointee.doneCount
    errorNumber = request.pointee.errorNumber
  }

  func deliver() {
    switch handler {
    case .transfer(let handler):
      guard let memory = unsafe memory else {
        preconditionFailure("CompletionQueue: a transfer is accepted with its buffer")
      }
      let buffer = unsafe IOBuffer(
        adopting: memory, count: kind == .read ? doneCount : validCount)
      handler(errorNumber == 0 ? .success(doneCount) : .failure(error), buffer)
    case .sync(let handler):
      handler(errorNumber == 0 ? .success(()) : .failure(error))
    case .detach(let handler):
      // The file has kept its descriptor for this.
      guard let file else { preconditionFailure("CompletionQueue: a request names its file") }
      handler(file.surrenderDescriptor())
    case nil:
      break
    }
    // After the handler, so that a file that is being closed has seen all its requests through.
    file?.requestEnded()
  }

  private var error: FileError {
    let operation: FileError.Operation =
      switch kind {
      case .read, .doorbell, .detach: .read
      case .write: .write
      case .sync: .sync
      case .dataSync: .dataSync
      }
    return FileError(
      operation: operation, path: file?.path, offset: kind.isTransfer ? offset : nil,
      byteCountDone: doneCount, errno: Errno(rawValue: errorNumber))
  }
}
