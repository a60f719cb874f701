internal import PosixAIO
internal import Synchronization
internal import SystemPackage

extension EventLoop {
  /// The loop's only door for other threads.
  public final class Remote: Sendable {
    /// What another thread wants of the loop.
    enum Call: Sendable {
      case body(@Sendable (EventLoop) -> Void)
      case job(Executor.Job)
    }

    private struct Door {
      var calls: [Call] = []
      let wakeUp: WakeUp
    }

    /// Nil when the loop is gone. The descriptor goes with it, whoever still holds the remote.
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
    /// May be called from any thread, also from the loop's, and never calls `body` itself.
    ///
    /// - Parameter body: Gets the loop, on its thread.
    /// - Returns: Whether the loop will get to it if it runs; false when it does not exist any
    ///   more, in a fork's child, or when ``Configuration/waitingCallLimit`` calls wait already.
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
        door?.calls.append(call)
        if count == 0 { door?.wakeUp.signal() }
        return true
      }
    }

    /// Hands out all calls that wait.
    func takeCalls() -> [Call] {
      door.withLock { door in
        defer { door?.calls = [] }
        door?.wakeUp.clear()
        return door?.calls ?? []
      }
    }

    /// Refuses calls from now on.
    ///
    /// - Returns: What was not called yet.
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

    /// - Returns: The number of calls made, at most `limit`.
    func run(on loop: EventLoop, limit: Int) -> Int {
      if isEmpty {
        calls = remote.takeCalls()
        next = 0
      }
      let count = min(limit, calls.count - next)
      for _ in 0..<count {
        let call = calls[next]
        next += 1
        switch call {
        case .body(let body): body(loop)
        case .job(let job): loop.executor.enqueueHere(job)
        }
      }
      if !isEmpty { work?.runNextTurn() }
      return count
    }

    /// Refuses calls from now on.
    ///
    /// - Returns: The jobs that were not passed on yet. Other calls are dropped.
    func close() -> [Executor.Job] {
      let left = calls[next...] + remote.close()
      calls = []
      next = 0
      work = nil
      return left.compactMap { call in
        guard case .job(let job) = call else { return nil }
        return job
      }
    }
  }
}
