internal import PosixAIO
internal import SystemPackage

/// A multi-step file operation in progress. It continues even if you drop this object.
///
/// If its loop is cut off, the work stops as if it was cancelled, and its handler is called before
/// the loop has ended.
@safe
public class FileWork: @unchecked Sendable {
  private enum State {
    case running(RequestID?)
    case canceled
    case over
  }

  final let core: LoopCore
  private final var state = State.running(nil)

  init(_ core: LoopCore) {
    self.core = core
  }

  /// Stops the work. Its handler receives `ECANCELED`, if the work can still be stopped.
  ///
  /// The handler is called when the former state is restored, so not before a call on a helper
  /// thread has returned.
  public final func cancel() {
    guard !core.hasEnded else { return }
    core.checkThread()
    guard case .running(let request) = state else { return }
    state = .canceled
    if let request { core.queue.cancel(request, abandoning: true) }
  }

  /// Whether ``cancel()`` would still stop the work.
  package final var canBeCanceled: Bool {
    if case .running = state { true } else { false }
  }

  final var isCanceled: Bool {
    if case .canceled = state { true } else { false }
  }

  /// Stores the request that a cancellation stops.
  final func wait(for request: RequestID?) {
    guard case .running = state else { return }
    state = .running(request)
  }

  /// The work cannot be stopped from now on.
  final func commit() {
    state = .over
  }
}
