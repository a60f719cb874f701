#if NIO
  internal import NIOCore
  internal import Synchronization

  /// Cancels a send for a task.
  final class SendCancellation: Sendable {
    private enum State: Sendable {
      case waiting
      case started(NIOLoopBound<FileSender>, WayToLoop)
      case canceled
    }

    private let state = Mutex(State.waiting)

    /// Call it on the loop.
    func started(_ sender: FileSender, on owner: LoopQueue) {
      let isCanceled = state.withLock { state in
        if case .canceled = state { return true }
        state = .started(NIOLoopBound(sender, eventLoop: owner.eventLoop), owner.calls.way)
        return false
      }
      if isCanceled { sender.cancel() }
    }

    func cancel() {
      let before = state.withLock { state in
        defer { state = .canceled }
        return state
      }
      guard case .started(let sender, let way) = before else { return }
      // After the loop's end there is nothing to cancel.
      _ = way.execute { sender.value.cancel() }
    }
  }
#endif
