internal import PosixAIO

/// Parts of tasks that are ready to run on the loop's thread, in order.
///
/// Sendable, although it is used on the loop's thread only: the executor, which threads share,
/// looks first on which it is.
@safe
final class JobQueue: @unchecked Sendable {
  typealias Job = EventLoop.Executor.Job

  /// The most operations that are noted, also where requests never end: a cancellation waits for no
  /// more of them.
  private static let freshLimit = 1024

  private let hotStorage = UncheckedBox(HotState())

  @safe
  private struct HotState {
    /// What runs them; nil when the loop has ended.
    var work: TurnEvent?
    var loopTaskExecutor: UnownedTaskExecutor?
    var isServed = false
    var isSuspended = false
    var jobs: [Job] = []
    var next = 0
    var takenCount: UInt64 = 0
    var fresh: [Awaited] = []
  }

  private var hot: HotState {
    unsafeAddress { unsafe UnsafePointer(hotStorage.address) }
    unsafeMutableAddress { unsafe hotStorage.address }
  }

  /// Jobs handed out so far.
  var takenCount: UInt64 { hot.takenCount }

  var count: Int { hot.jobs.count - hot.next }

  /// Whether none is handed out any more.
  var isSuspended: Bool {
    get { hot.isSuspended }
    set { hot.isSuspended = newValue }
  }

  /// What runs the loop's own tasks.
  var loopTaskExecutor: UnownedTaskExecutor? { unsafe hot.loopTaskExecutor }

  func open(_ work: TurnEvent, _ loopTaskExecutor: UnownedTaskExecutor) {
    hot.work = work
    unsafe hot.loopTaskExecutor = loopTaskExecutor
  }

  /// - Returns: False when the loop has ended.
  func append(_ job: Job) -> Bool {
    guard hot.work != nil else { return false }
    hot.jobs.append(job)
    if !hot.isServed { hot.work?.runThisTurn() }
    return true
  }

  func popFirst() -> Job? {
    guard hot.next < hot.jobs.count, !hot.isSuspended else { return nil }
    let job = hot.jobs[hot.next]
    hot.next += 1
    hot.takenCount += 1
    if hot.next == hot.jobs.count {
      hot.jobs.removeAll(keepingCapacity: true)
      hot.next = 0
    }
    return job
  }

  func runLeftOversNextTurn() {
    if count > 0 { hot.work?.runNextTurn() }
  }

  /// Until ``endService()``, jobs are run without being asked for.
  func beginService() {
    hot.isServed = true
  }

  /// - Parameter isOver: Whether all requests had their turn; until they have, those that are new
  ///   are likely to end without a task that can be cancelled.
  func endService(isOver: Bool) {
    if isOver || hot.fresh.count >= Self.freshLimit {
      // None is added meanwhile: tasks that go on are run later.
      for operation in hot.fresh {
        operation.drainEnded()
      }
      hot.fresh.removeAll(keepingCapacity: true)
    }
    hot.isServed = false
    if count > 0 { hot.work?.runThisTurn() }
  }

  /// Has an operation told of the end of the next service.
  func noteFresh(_ operation: Awaited) {
    hot.fresh.append(operation)
  }

  func close() -> [Job] {
    hot.work = nil
    defer {
      hot.jobs = []
      hot.next = 0
    }
    return Array(hot.jobs[hot.next...])
  }
}
