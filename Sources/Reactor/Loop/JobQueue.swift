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

  private let confinedBooks = Confined(Books())

  @safe
  private struct Books {
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

  private var books: Books {
    unsafeAddress { unsafe UnsafePointer(confinedBooks.address) }
    unsafeMutableAddress { unsafe confinedBooks.address }
  }

  /// Jobs handed out so far.
  var takenCount: UInt64 { books.takenCount }

  var count: Int { books.jobs.count - books.next }

  /// Whether none is handed out any more.
  var isSuspended: Bool {
    get { books.isSuspended }
    set { books.isSuspended = newValue }
  }

  /// What runs the loop's own tasks.
  var loopTaskExecutor: UnownedTaskExecutor? { unsafe books.loopTaskExecutor }

  func open(_ work: TurnEvent, _ loopTaskExecutor: UnownedTaskExecutor) {
    books.work = work
    unsafe books.loopTaskExecutor = loopTaskExecutor
  }

  /// - Returns: False when the loop has ended.
  func append(_ job: Job) -> Bool {
    guard books.work != nil else { return false }
    books.jobs.append(job)
    if !books.isServed { books.work?.runThisTurn() }
    return true
  }

  func popFirst() -> Job? {
    guard books.next < books.jobs.count, !books.isSuspended else { return nil }
    let job = books.jobs[books.next]
    books.next += 1
    books.takenCount += 1
    if books.next == books.jobs.count {
      books.jobs.removeAll(keepingCapacity: true)
      books.next = 0
    }
    return job
  }

  func runLeftOversNextTurn() {
    if count > 0 { books.work?.runNextTurn() }
  }

  /// Until ``endService()``, jobs are run without being asked for.
  func beginService() {
    books.isServed = true
  }

  /// - Parameter isOver: Whether all requests had their turn; until they have, those that are new
  ///   are likely to end without a task that can be cancelled.
  func endService(isOver: Bool) {
    if isOver || books.fresh.count >= Self.freshLimit {
      // None is added meanwhile: tasks that go on are run later.
      for operation in books.fresh {
        operation.drainEnded()
      }
      books.fresh.removeAll(keepingCapacity: true)
    }
    books.isServed = false
    if count > 0 { books.work?.runThisTurn() }
  }

  /// Has an operation told of the end of the next service.
  func noteFresh(_ operation: Awaited) {
    books.fresh.append(operation)
  }

  func close() -> [Job] {
    books.work = nil
    defer {
      books.jobs = []
      books.next = 0
    }
    return Array(books.jobs[books.next...])
  }
}
