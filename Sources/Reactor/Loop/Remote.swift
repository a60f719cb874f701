internal import PosixAIO
internal import Synchronization
internal import SystemPackage

extension EventLoop {
  /// The loop's only door for other threads.
  public final class Remote: Sendable {
    private struct Door {
      var calls: [@Sendable (EventLoop) -> Void] = []
      let wakeUp: WakeUp
    }

    /// Nil when the loop is gone. The descriptor goes with it, whoever still holds the remote.
    private let door: Mutex<Door?>

    /// Readable when there are calls to run.
    let descriptor: Int32

    init() throws(Errno) {
      let wakeUp = try WakeUp()
      descriptor = wakeUp.descriptor
      door = Mutex(Door(wakeUp: wakeUp))
    }

    /// Has the loop call `body` on its thread, after what was passed on before it.
    ///
    /// May be called from any thread, also from the loop's, and never calls `body` itself.
    ///
    /// - Returns: Whether the loop will get to it if it runs; false when it does not exist any more.
    @discardableResult
    public func execute(_ body: @escaping @Sendable (EventLoop) -> Void) -> Bool {
      door.withLock { door in
        guard door != nil else { return false }
        door?.calls.append(body)
        if door?.calls.count == 1 { door?.wakeUp.signal() }
        return true
      }
    }

    func runCalls(on loop: EventLoop) {
      let calls = door.withLock { door -> [@Sendable (EventLoop) -> Void] in
        defer { door?.calls = [] }
        door?.wakeUp.clear()
        return door?.calls ?? []
      }
      for call in calls {
        call(loop)
      }
    }

    /// Drops what was not called yet.
    func close() {
      // Outside of the lock: the calls' captures may do anything when they go.
      withExtendedLifetime(door.withLock { $0.take() }) {}
    }
  }
}
