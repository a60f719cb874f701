import PosixAIO
import SystemPackage

/// One of the unfinished requests. Requests are reused.
final class StressRequest {
  enum Phase {
    case idle
    /// Accepted or about to be. Holds the result of cancelling it, if that was tried.
    case unfinished(CompletionQueue.CancelStatus?)
  }

  private(set) var operation: StressOperation
  private(set) var phase = Phase.idle
  private(set) var startedAt = SuspendingClock.now
  /// The possible results of a read.
  private(set) var expected = BlockState.Content.version(0)
  /// The ID for cancelling it, once it was accepted.
  var id: RequestID?
  /// The buffer of the previous use.
  var buffer: IOBuffer?

  init(_ operation: StressOperation) {
    self.operation = operation
  }

  var isUnfinished: Bool {
    if case .unfinished = phase { true } else { false }
  }

  func begin(_ operation: StressOperation, expected: BlockState.Content) {
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

extension StressRequest {
  /// Checks whether an outcome fits the request and how it was cancelled.
  func fault(in outcome: Result<Int, FileError>, isBufferBack: Bool) -> String? {
    guard case .unfinished(let status) = phase else {
      return "completed more than once"
    }
    switch outcome {
    case .success:
      switch status {
      case .canceled?, .abandoned?: return "has a result, although its cancellation was confirmed"
      case .notCanceled?, .allDone?, nil: return isBufferBack ? nil : "came back without its buffer"
      }
    case .failure(let error):
      if error.errno == .canceled {
        switch status {
        case .canceled?: return isBufferBack ? nil : "was cancelled and lost its buffer"
        case .abandoned?: return isBufferBack ? "was abandoned, but has its buffer" : nil
        case .notCanceled?, .allDone?, nil:
          return "has the error of a cancellation, but was not cancelled"
        }
      }
      if error.errno == .timedOut, case .deadline(let timeout)? = operation.cancellation {
        return SuspendingClock.now - startedAt >= timeout ? nil : "timed out too early"
      }
      return "\(error)"
    }
  }
}
