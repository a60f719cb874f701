internal import PosixAIO

/// Task jobs that are ready to run on the loop's thread, in order.
///
/// Sendable although only the loop's thread uses it: the executor, which threads share, checks the
/// thread first.
@safe
final class JobQueue: @unchecked Sendable {
  typealias Job = EventLoop.Executor.Job

  /// The most suspended tasks that wait for the end of a drain. At the limit they are resumed, so
  /// that a cancellation is not delayed further even if drains always stop at their limit.
  private static let drainWaiterLimit = 1024

  private let hotStorage = UncheckedBox(HotState())

  @safe
  private struct HotState {
    /// Runs the jobs; nil when the loop has ended.
    var work: TurnEvent?
    var loopTaskExecutor: UnownedTaskExecutor?
    var isServed = false
    var isSuspended = false
    var jobs: [Job] = []
    var next = 0
    var takenCount: UInt64 = 0
    var drainWaiters: [SuspendedTask] = []
  }

  private var hot: HotState {
    unsafeAddress { unsafe UnsafePointer(hotStorage.address) }
    unsafeMutableAddress { unsafe hotStorage.address }
  }

  /// Jobs taken so far.
  var takenCount: UInt64 { hot.takenCount }

  var count: Int { hot.jobs.count - hot.next }

  /// Whether jobs are no longer taken.
  var isSuspended: Bool {
    get { hot.isSuspended }
    set { hot.isSuspended = newValue }
  }

  /// The executor of the loop's own tasks.
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

  /// Until ``endService()``, the caller runs jobs itself, so that no event is activated for them.
  func beginService() {
    hot.isServed = true
  }

  /// - Parameter isOver: Whether the drain processed all requests. Otherwise the new ones will
  ///   probably complete soon, without the cost of a cancellation handler.
  func endService(isOver: Bool) {
    if isOver || hot.drainWaiters.count >= Self.drainWaiterLimit {
      // None is added during the loop: resumed tasks are only enqueued.
      for operation in hot.drainWaiters {
        operation.drainDidEnd()
      }
      hot.drainWaiters.removeAll(keepingCapacity: true)
    }
    hot.isServed = false
    if count > 0 { hot.work?.runThisTurn() }
  }

  /// Resumes a task at the end of the drain that processes the remaining requests.
  func resumeAfterDrain(_ operation: SuspendedTask) {
    hot.drainWaiters.append(operation)
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
