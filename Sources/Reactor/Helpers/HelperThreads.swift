internal import Glibc
internal import Synchronization

/// Threads that run work in the order in which it was handed in.
///
/// A thread is started when work finds all others busy, up to the limit, and then waits for more
/// until the pool goes. All signals are blocked in it. Waiting costs nothing: Dispatch, which would
/// otherwise do this, wakes up every second for as long as the process lives.
@safe
final class HelperThreads: Sendable {
  typealias Work = @Sendable () -> Void

  private struct State {
    var waiting: [Work] = []
    var threadCount = 0
    var idleCount = 0
    var isClosed = false
  }

  private let limit: Int
  private let state = Mutex(State())
  // Counts what waits, and one more for each thread after the end. A semaphore is made to be used
  // by several threads, and this one lives as long as the pool.
  nonisolated(unsafe) private let wakeUps: UnsafeMutablePointer<sem_t>

  init(limit: Int) {
    precondition(limit > 0, "EventLoop: helperLimit is 1 or more")
    self.limit = limit
    unsafe wakeUps = .allocate(capacity: 1)
    unsafe sem_init(wakeUps, 0, 0)
  }

  deinit {
    // Every thread holds the pool, so none is left.
    unsafe sem_destroy(wakeUps)
    unsafe wakeUps.deallocate()
  }

  /// Runs `work` on a thread. Where not one thread can be had, it runs here and now.
  func run(_ work: @escaping Work) {
    let needsThread = state.withLock { state in
      state.waiting.append(work)
      guard state.waiting.count > state.idleCount, state.threadCount < limit else { return false }
      state.threadCount += 1
      return true
    }
    unsafe sem_post(wakeUps)
    if needsThread, !startThread() { threadFailed() }
  }

  /// Lets the threads end after what they have to do.
  func close() {
    let threadCount = state.withLock { state in
      state.isClosed = true
      return state.threadCount
    }
    for _ in 0..<threadCount {
      unsafe sem_post(wakeUps)
    }
  }

  private func threadFailed() {
    let orphaned = state.withLock { state in
      state.threadCount -= 1
      guard state.threadCount == 0 else { return [Work]() }
      defer { state.waiting = [] }
      return state.waiting
    }
    for work in orphaned {
      unsafe sem_trywait(wakeUps)
      work()
    }
  }

  private func startThread() -> Bool {
    var all = sigset_t()
    var former = sigset_t()
    unsafe sigfillset(&all)
    // The thread inherits the mask of the moment.
    unsafe pthread_sigmask(SIG_SETMASK, &all, &former)
    defer { unsafe pthread_sigmask(SIG_SETMASK, &former, nil) }
    var thread = pthread_t()
    let pool = unsafe Unmanaged.passRetained(self)
    guard unsafe pthread_create(&thread, nil, threadMain, pool.toOpaque()) == 0 else {
      unsafe pool.release()
      return false
    }
    pthread_detach(thread)
    return true
  }

  fileprivate func serve() {
    while let work = nextWork() {
      work()
    }
  }

  private func nextWork() -> Work? {
    state.withLock { $0.idleCount += 1 }
    // Interrupted only by a debugger, since all signals are blocked.
    while unsafe sem_wait(wakeUps) != 0 {}
    return state.withLock { state in
      state.idleCount -= 1
      if state.waiting.isEmpty {
        state.threadCount -= 1
        return nil
      }
      return state.waiting.removeFirst()
    }
  }
}

private func threadMain(_ pool: UnsafeMutableRawPointer?) -> UnsafeMutableRawPointer? {
  // startThread passes the pool, retained for this thread.
  guard let pool = unsafe pool else { return nil }
  unsafe Unmanaged<HelperThreads>.fromOpaque(pool).takeRetainedValue().serve()
  return nil
}
