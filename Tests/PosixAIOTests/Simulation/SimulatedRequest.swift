import PosixAIO

/// A request of a simulation, and what became of it on either side of the queue.
final class SimulatedRequest {
  enum Kind {
    case read, write, sync, dataSync
  }

  let number: Int
  let kind: Kind
  /// Unowned, since the file keeps its requests.
  unowned let file: SimulatedFile
  let offset: Int
  let byteCount: Int
  /// In the queue's nanoseconds; nil without a timeout.
  let deadline: UInt64?

  /// Its place in the order of all that happened.
  var enqueuedAt = 0
  var id: RequestID?
  /// Where its buffer is.
  var memory: Range<UInt> = 0..<0

  /// What the queue answered; the bytes that a write has in the file.
  private(set) var isAnswered = false
  private(set) var doneCount = 0
  /// Whether it was a write that was answered before the kernel was done with it.
  private(set) var isUnknown = false
  /// A cancellation that said that this is its answer.
  var expectedAnswer: CompletionQueue.CancelStatus?
  /// Whether a cancellation of all of the file came while it was unfinished.
  var mayBeCancelled = false
  /// Whether libc did not have it then: the next drain answers it.
  var isDue = false
  /// Whether it had never been with libc when all of its file was cancelled.
  var mustNotStart = false

  /// What libc did.
  var wasHandedOver = false
  var kernelBytes: [UInt8] = []
  /// Whether only the page cache has said that a read is shorter than asked, in front of the end.
  var isShortInCache = false
  var kernelError: Int32 = 0
  /// The last of its file's changes that was its own.
  var lastChange = 0

  init(
    _ number: Int, _ kind: Kind, _ file: SimulatedFile, offset: Int = 0, byteCount: Int = 0,
    deadline: UInt64?
  ) {
    self.number = number
    self.kind = kind
    self.file = file
    self.offset = offset
    self.byteCount = byteCount
    self.deadline = deadline
  }

  /// Where in the file it reads or writes.
  var places: Range<Int> { offset..<offset + byteCount }

  var isSync: Bool { kind == .sync || kind == .dataSync }

  /// - Parameter doneCount: Nil where only the kernel knows.
  func answer(doneCount: Int?) {
    isAnswered = true
    isUnknown = doneCount == nil
    self.doneCount = doneCount ?? 0
  }
}

extension SimulatedRequest: CustomStringConvertible {
  var description: String {
    let place = isSync ? "" : " \(offset)+\(byteCount)"
    return "#\(number) \(kind) \(file.disk.name)\(place)"
  }
}
