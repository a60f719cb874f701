internal import PosixAIO
internal import SystemPackage

/// Work of several steps on files, in progress. It goes on, kept or not.
///
/// When its loop is cut off, it breaks off as if it was cancelled, and its handler is called before
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

  /// Breaks the work off: its handler gets `ECANCELED`, unless nothing is left to be broken off.
  ///
  /// The handler is called when all is as it was before, so not before a call that runs on a helper
  /// thread has returned.
  public final func cancel() {
    guard !core.hasEnded else { return }
    core.checkThread()
    guard case .running(let request) = state else { return }
    state = .canceled
    if let request { core.queue.cancel(request, abandoning: true) }
  }

  final var isCanceled: Bool {
    if case .canceled = state { true } else { false }
  }

  /// Notes the request that a cancellation stops.
  final func wait(for request: RequestID?) {
    guard case .running = state else { return }
    state = .running(request)
  }

  /// The work is past the point at which it can be broken off.
  final func commit() {
    state = .over
  }
}
