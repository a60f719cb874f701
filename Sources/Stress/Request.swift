import PosixAIO
import SystemPackage

/// One of the requests that are unfinished at a time. Used again and again.
final class Request {
  enum Phase {
    case idle
    /// Accepted or about to be; what cancelling it has answered, if that was tried.
    case unfinished(CompletionQueue.CancelStatus?)
  }

  private(set) var operation: Operation
  private(set) var phase = Phase.idle
  private(set) var startedAt = SuspendingClock.now
  /// What a read may find.
  private(set) var expected = BlockState.Content.version(0)
  /// To cancel it by, once it was accepted.
  var id: RequestID?
  /// Memory of the use before.
  var buffer: IOBuffer?

  init(_ operation: Operation) {
    self.operation = operation
  }

  var isUnfinished: Bool {
    if case .unfinished = phase { true } else { false }
  }

  func begin(_ operation: Operation, expected: BlockState.Content) {
    self.operation = operation
    self.expected = expected
    phase = .unfinished(nil)
    id = nil
    startedAt = .now
  }

  func wasCancelled(_ status: CompletionQueue.CancelStatus) {
    guard isUnfinished else { return }
    phase = .unfinished(status)
  }

  func end() {
    phase = .idle
  }
}

extension Request {
  /// What the queue may answer to a request, by how it was cancelled.
  func fault(in outcome: Result<Int, FileError>, isBufferBack: Bool) -> String? {
    guard case .unfinished(let status) = phase else {
      return "completed more than once"
    }
    switch outcome {
    case .success:
      switch status {
      case .canceled?, .abandoned?: return "has a result, although its cancelling was confirmed"
      case .notCanceled?, .allDone?, nil: return isBufferBack ? nil : "came back without its buffer"
      }
    case .failure(let error):
      if error.errno == .canceled {
        switch status {
        case .canceled?: return isBufferBack ? nil : "was cancelled and lost its buffer"
        case .abandoned?: return isBufferBack ? "was abandoned, but has its buffer" : nil
        case .notCanceled?, .allDone?, nil: return "was cancelled by nobody"
        }
      }
      if error.errno == .timedOut, case .deadline(let timeout)? = operation.cancellation {
        return SuspendingClock.now - startedAt >= timeout ? nil : "timed out too early"
      }
      return "\(error)"
    }
  }
}
