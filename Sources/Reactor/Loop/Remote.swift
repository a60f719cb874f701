internal import PosixAIO
internal import Synchronization
internal import SystemPackage

extension EventLoop {
  /// Passes calls from other threads to the loop; the only way to do so.
  ///
  /// It does not keep the loop alive. When the loop has ended, it refuses calls.
  public final class Remote: Sendable {
    /// A call from another thread.
    enum Call: Sendable {
      case body(@Sendable (EventLoop) -> Void)
      /// An internal call: a result of a helper thread, or a cancellation.
      case internalBody(@Sendable (LoopCore) -> Void)
      case job(Executor.Job)
    }

    private struct Door {
      var calls: [Call] = []
      /// Whether user calls are refused, because the loop is ending.
      var refusesBodies = false
      let wakeUp: WakeUp
    }

    /// Nil when the loop has ended. The descriptor is closed then, even if the remote is still
    /// referenced.
    private let door: Mutex<Door?>

    private let thread: LoopThread
    private let waitingLimit: Int

    /// Readable when there are calls to run.
    let descriptor: Int32

    init(_ thread: LoopThread, waitingLimit: Int) throws(Errno) {
      let wakeUp = try WakeUp()
      self.thread = thread
      self.waitingLimit = waitingLimit
      descriptor = wakeUp.descriptor
      door = Mutex(Door(wakeUp: wakeUp))
    }

    /// Calls `body` on the loop's thread, after all calls that were accepted before.
    ///
    /// May be called on any thread, including the loop's, and never calls `body` inside the call.
    /// Accepted calls are made before the loop has ended. In a forked child they are dropped.
    ///
    /// - Parameter body: Receives the loop, on its thread.
    /// - Returns: Whether the call was accepted; it is made if the loop runs. False if the loop is
    ///   ending or has ended, in a forked child, or if ``Configuration/waitingCallLimit`` calls are
    ///   pending. Then `body` is dropped.
    @discardableResult
    public func execute(_ body: @escaping @Sendable (EventLoop) -> Void) -> Bool {
      add(.body(body), limit: waitingLimit)
    }

    /// As ``execute(_:)``, for internal calls, which are limited elsewhere and must arrive.
    @discardableResult
    func add(_ call: Call, limit: Int = .max) -> Bool {
      guard thread.isOfThisProcess else { return false }
      return door.withLock { door in
        guard let count = door?.calls.count, count < limit else { return false }
        if case .body = call, door?.refusesBodies ?? true { return false }
        door?.calls.append(call)
        if count == 0 { door?.wakeUp.signal() }
        return true
      }
    }

    /// Calls that were accepted and not taken.
    var count: Int { door.withLock { $0?.calls.count ?? 0 } }

    /// Takes all pending calls.
    func takeCalls() -> [Call] {
      door.withLock { door in
        defer { door?.calls = [] }
        door?.wakeUp.clear()
        return door?.calls ?? []
      }
    }

    /// Refuses user calls from now on.
    func refuseBodies() {
      door.withLock { $0?.refusesBodies = true }
    }

    /// Refuses all calls from now on.
    ///
    /// - Returns: The calls that were not taken.
    func close() -> [Call] {
      door.withLock { $0.take() }?.calls ?? []
    }
  }

  /// The loop's side of the remote: accepted calls, in order.
  final class RemoteCalls {
    private let remote: Remote
    private var calls: [Remote.Call] = []
    private var next = 0

    /// Runs the calls over the limit in the next turn.
    var work: TurnEvent?

    init(_ remote: Remote) {
      self.remote = remote
    }

    private var isEmpty: Bool { next == calls.count }

    /// Calls that were accepted and not made yet.
    var count: Int { calls.count - next + remote.count }

    /// - Returns: The number of calls made, at most `limit`.
    func run(on core: LoopCore, limit: Int) -> Int {
      if isEmpty {
        calls = remote.takeCalls()
        next = 0
      }
      let count = min(limit, calls.count - next)
      for _ in 0..<count {
        let call = calls[next]
        next += 1
        switch call {
        case .body(let body): body(core.loop)
        case .internalBody(let body): body(core)
        case .job(let job): core.executor.enqueueHere(job)
        }
      }
      if isEmpty {
        // Captures are released after all calls were made, outside of accesses to the array.
        let made = calls
        (calls, next) = ([], 0)
        withExtendedLifetime(made) {}
      } else {
        work?.runNextTurn()
      }
      return count
    }

    /// Refuses calls from now on.
    ///
    /// - Returns: The jobs that were not passed to the executor.
    func close() -> [Executor.Job] {
      let left = remote.close()
      work = nil
      return left.compactMap { call in
        guard case .job(let job) = call else { return nil }
        return job
      }
    }
  }
}
