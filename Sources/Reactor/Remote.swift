internal import PosixAIO
internal import Synchronization
internal import SystemPackage

extension EventLoop {
  /// The loop's only door for other threads.
  public final class Remote: Sendable {
    private enum State {
      case open(calls: [@Sendable (EventLoop) -> Void])
      case closed
    }

    private let state = Mutex(State.open(calls: []))
    private let wakeUp: WakeUp

    init() throws(Errno) {
      wakeUp = try WakeUp()
    }

    var descriptor: Int32 { wakeUp.descriptor }

    /// Has the loop call `body` on its thread, after what was passed on before it.
    ///
    /// May be called from any thread, also from the loop's, and never calls `body` itself.
    ///
    /// - Returns: Whether the loop will get to it if it runs; false when it does not exist any more.
    @discardableResult
    public func execute(_ body: @escaping @Sendable (EventLoop) -> Void) -> Bool {
      let (isAccepted, isFirst) = state.withLock { state in
        guard case .open(var calls) = state else { return (false, false) }
        // Leaves the array with one owner, so that appending does not copy it.
        state = .closed
        calls.append(body)
        let isFirst = calls.count == 1
        state = .open(calls: calls)
        return (true, isFirst)
      }
      if isFirst { wakeUp.signal() }
      return isAccepted
    }

    func runCalls(on loop: EventLoop) {
      wakeUp.clear()
      let calls = state.withLock { state -> [@Sendable (EventLoop) -> Void] in
        guard case .open(let calls) = state else { return [] }
        state = .open(calls: [])
        return calls
      }
      for call in calls {
        call(loop)
      }
    }

    /// Drops what was not called yet.
    func close() {
      let dropped = state.withLock { state in
        defer { state = .closed }
        return state
      }
      // Outside of the lock: the calls' captures may do anything when they go.
      withExtendedLifetime(dropped) {}
    }
  }
}
