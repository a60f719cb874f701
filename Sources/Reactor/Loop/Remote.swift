internal import PosixAIO
internal import Synchronization
internal import SystemPackage

extension EventLoop {
  /// The loop's only door for other threads.
  ///
  /// It does not keep the loop. When the loop has ended, it refuses.
  public final class Remote: Sendable {
    /// What another thread wants of the loop.
    enum Call: Sendable {
      case body(@Sendable (EventLoop) -> Void)
      /// Of the loop's own: a result of a helper thread, a cancellation.
      case internalBody(@Sendable (LoopCore) -> Void)
      case job(Executor.Job)
    }

    private struct Door {
      var calls: [Call] = []
      /// Whether calls of users are refused: the loop is ending.
      var refusesBodies = false
      let wakeUp: WakeUp
    }

    /// Nil when the loop has ended. The descriptor goes with it, whoever still holds the remote.
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

    /// Has the loop call `body` on its thread, after what was passed on before it.
    ///
    /// May be called from any thread, also from the loop's, and never calls `body` itself. What was
    /// accepted is called before the loop has ended, or dropped with a child that forked.
    ///
    /// - Parameter body: Gets the loop, on its thread.
    /// - Returns: Whether the loop will get to it if it runs; false when it is being cut off or has
    ///   ended, in a fork's child, or when ``Configuration/waitingCallLimit`` calls wait already.
    ///   Then `body` is dropped.
    @discardableResult
    public func execute(_ body: @escaping @Sendable (EventLoop) -> Void) -> Bool {
      add(.body(body), limit: waitingLimit)
    }

    /// As ``execute(_:)``, for what is limited elsewhere and must arrive.
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

    /// Calls that were passed on and not taken.
    var count: Int { door.withLock { $0?.calls.count ?? 0 } }

    /// Hands out all calls that wait.
    func takeCalls() -> [Call] {
      door.withLock { door in
        defer { door?.calls = [] }
        door?.wakeUp.clear()
        return door?.calls ?? []
      }
    }

    /// Refuses calls of users from now on.
    func refuseBodies() {
      door.withLock { $0?.refusesBodies = true }
    }

    /// Refuses everything from now on.
    ///
    /// - Returns: What was not taken yet.
    func close() -> [Call] {
      door.withLock { $0.take() }?.calls ?? []
    }
  }

  /// The loop's side of the door: what was passed on, in its order.
  final class RemoteCalls {
    private let remote: Remote
    private var calls: [Remote.Call] = []
    private var next = 0

    /// Does what is over the limit.
    var work: TurnEvent?

    init(_ remote: Remote) {
      self.remote = remote
    }

    private var isEmpty: Bool { next == calls.count }

    /// Calls that were passed on and not made yet.
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
        // What they capture goes when they were made, and outside of the array's accesses.
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
    /// - Returns: The jobs that were not passed on yet.
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
