internal import Glibc
internal import PosixAIO
internal import Synchronization
internal import SystemPackage

/// Threads that run work items in the order of their submission.
///
/// A thread is started when all others are busy, up to the limit, and then waits for more work
/// until the pool is released. All its signals are blocked. Waiting threads cost no CPU time.
/// Dispatch, the alternative, wakes up every second for as long as the process lives.
@safe
final class HelperThreads: Sendable {
  typealias Work = @Sendable () -> Void

  private struct Item {
    let work: Work
    /// The caller's number, for taking the item back; nil for items that cannot be taken back.
    let number: Int?
  }

  private struct State {
    var waiting = FIFO<Item>()
    var threadCount = 0
    var idleCount = 0
    var isClosed = false
  }

  private let limit: Int
  private let mayWait: Bool
  private let state = Mutex(State())
  // Posted for each item, and for each thread at the end. Threads may share a semaphore, and this
  // one lives as long as the pool.
  nonisolated(unsafe) private let wakeUps: UnsafeMutablePointer<sem_t>

  /// - Parameters:
  ///   - limit: The most threads.
  ///   - mayWait: Whether the caller may run work itself if no thread can be started.
  init(limit: Int, mayWait: Bool = true) {
    require(limit > 0, "EventLoop: offloadThreadLimit is 1 or more")
    self.limit = limit
    self.mayWait = mayWait
    unsafe wakeUps = .allocate(capacity: 1)
    unsafe sem_init(wakeUps, 0, 0)
  }

  deinit {
    // Every thread retains the pool, so no thread is left.
    unsafe sem_destroy(wakeUps)
    unsafe wakeUps.deallocate()
  }

  /// Runs `work` on a thread. If the pool has no thread and cannot start one, the caller runs it,
  /// or it is dropped if the caller may not wait.
  ///
  /// - Parameter number: For ``takeBack()``; nil for work that cannot be taken back.
  /// - Returns: Whether the work runs.
  @discardableResult
  func run(number: Int? = nil, _ work: @escaping Work) -> Bool {
    let needsThread = state.withLock { state in
      state.waiting.append(Item(work: work, number: number))
      guard state.waiting.count > state.idleCount, state.threadCount < limit else { return false }
      state.threadCount += 1
      return true
    }
    unsafe sem_post(wakeUps)
    guard needsThread, !addThread() else { return true }
    return threadFailed()
  }

  /// Removes the numbered items that have not started.
  ///
  /// - Returns: Their numbers.
  func takeBack() -> [Int] {
    // The work is released outside of the lock: that may close descriptors.
    let taken = state.withLock { state in
      var kept = FIFO<Item>()
      var taken: [Item] = []
      while let item = state.waiting.popFirst() {
        if item.number == nil { kept.append(item) } else { taken.append(item) }
      }
      state.waiting = kept
      return taken
    }
    // A thread that wakes up for one of them finds no work, and waits again.
    return taken.compactMap(\.number)
  }

  /// Ends the threads after their remaining work.
  func close() {
    let threadCount = state.withLock { state in
      state.isClosed = true
      return state.threadCount
    }
    for _ in 0..<threadCount {
      unsafe sem_post(wakeUps)
    }
  }

  /// - Returns: Whether the submitted work still runs.
  private func threadFailed() -> Bool {
    let orphaned = state.withLock { state in
      state.threadCount -= 1
      guard state.threadCount == 0 else { return [Item]() }
      var orphaned: [Item] = []
      while let item = state.waiting.popFirst() { orphaned.append(item) }
      return orphaned
    }
    // Orphaned work exists only if the failed thread was the only one.
    guard mayWait || orphaned.isEmpty else { return false }
    for item in orphaned { item.work() }
    return true
  }

  private func addThread() -> Bool {
    do throws(Errno) {
      try startThread(blocksSignals: true) { [self] in serve() }
      return true
    } catch {
      // Whatever the reason, the work waits for other threads, or runs on this one.
      return false
    }
  }

  private func serve() {
    while let work = nextWork() {
      work()
    }
  }

  private enum Next {
    case work(Work)
    case wait
    case end
  }

  /// Waits for the next work; nil when the thread must end.
  private func nextWork() -> Work? {
    while true {
      let next: Next = state.withLock { state in
        if let item = state.waiting.popFirst() { return .work(item.work) }
        guard state.isClosed else {
          state.idleCount += 1
          return .wait
        }
        state.threadCount -= 1
        return .end
      }
      switch next {
      case .work(let work): return work
      case .end: return nil
      case .wait:
        // Only a debugger can interrupt it, since all signals are blocked. It may have been posted
        // for work that another thread has taken meanwhile.
        while unsafe sem_wait(wakeUps) != 0 {}
        state.withLock { $0.idleCount -= 1 }
      }
    }
  }
}
