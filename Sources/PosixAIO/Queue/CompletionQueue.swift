internal import CPosixAIO
internal import Glibc
internal import Synchronization
public import SystemPackage

/// Runs file operations through glibc's POSIX AIO and hands back their completions on one
/// descriptor that any event loop can poll.
///
/// Make requests on an ``AIOFile``. When ``descriptor`` is readable, call ``drain(limit:)``: it
/// calls the handlers of what is done. Each accepted request gets exactly one call of its handler,
/// from `drain` and never from inside the call that made the request.
///
/// The completions are announced by a real-time signal, which the queue reads from a signalfd; but
/// a signal only says that there is something to look at, and results come from `aio_error(3)` and
/// `aio_return(3)`. Operations are handed over with `lio_listio(3)` in groups whose members are
/// silent, because a signal of an operation's own that cannot be queued makes glibc overwrite that
/// operation's result. A timer, armed only while something is in flight, finds what a lost signal
/// would have announced.
///
/// A queue belongs to one thread, the one that makes it.
///
/// **The end.** A request holds its file, and a file its queue. So a queue of which you drop every
/// reference while requests are unfinished stays as it is, with its signal and its descriptors, and
/// nobody drains it any more: drain until ``unfinishedCount`` is 0 before you drop it. With nothing
/// in progress, it gives signal and descriptors back when the last reference to it and to its files
/// goes.
///
/// The queue of an event loop ends with its loop: unfinished requests complete with `ECANCELED`,
/// new ones are refused with it, and ``descriptor`` is closed. What the kernel still holds then,
/// such as a read of an empty pipe, keeps its memory and its file's descriptors until the kernel
/// lets go, and nothing else.
@safe
public final class CompletionQueue {
  /// Gets the bytes moved or the error, and the buffer back.
  public typealias TransferHandler = (Result<Int, FileError>, consuming IOBuffer) -> Void

  /// Gets the outcome of an operation without data.
  public typealias SyncHandler = (Result<Void, FileError>) -> Void

  /// Readable when ``drain(limit:)`` has something to do. Level-triggered; only to be polled.
  public let descriptor: FileDescriptor

  /// The limits with which the queue was made.
  public let configuration: Configuration

  /// Is told of each operation that comes back from glibc.
  public weak var observer: (any CompletionQueueObserver)?

  /// When the loop is to drain, should it take this without a system call.
  package enum DrainTime {
    /// In this turn of the loop: requests were made outside of ``drain(limit:)``.
    case thisTurn
    /// In the next turn, after everything else of this one: ``drain(limit:)`` stopped at its limit.
    case nextTurn
  }

  /// Replaces the wake-up of the loop by ``descriptor``: the loop promises to drain at that time.
  /// It is called in the middle of changes, so it only notes that, and touches neither the queue
  /// nor its files.
  package var requestDrain: ((DrainTime) -> Void)?

  /// Is called after each delivery in the middle of ``drain(limit:)``: for a loop whose tasks go on
  /// with what they waited for. What they ask for is then handed over by the same drain.
  package var delivered: (() -> Void)?

  /// Tells the queue from all others of the process.
  let number = CompletionQueue.numbers.wrappingAdd(1, ordering: .relaxed).newValue
  private static let numbers = Atomic<UInt32>(0)

  let system: AIOSystem
  let signal: CompletionSignal
  let pool = RequestPool()
  let timer: QueueTimer
  var backstop: Backstop
  var batch = Batch()
  var groups: GroupTable
  var mergeMemory = MergeMemory()

  /// How far the queue's end has come.
  var stage: Stage {
    get { books.stage }
    set { books.stage = newValue }
  }

  /// Pipes and their like that wait for others to end.
  var heldBack = HeldBackStreams()
  /// Pipes and their like of which one direction waits for a descriptor of its own.
  var withoutDescriptor = ReadyFiles()

  private let confinedBooks = Confined(Books())

  /// Requests accepted whose handler has not been called yet.
  public var unfinishedCount: Int { books.counts.unfinished }

  /// What every request passes through.
  var books: Books {
    unsafeAddress { unsafe UnsafePointer(confinedBooks.address) }
    unsafeMutableAddress { unsafe confinedBooks.address }
  }

  /// Makes a queue with a signal and descriptors of its own.
  ///
  /// The signal is blocked in the calling thread, and so in threads that it starts later. When the
  /// queue goes, it is unblocked there if it was not blocked before and the queue goes on the same
  /// thread.
  ///
  /// - Parameter configuration: The limits; those that are out of their range trap.
  /// - Throws: `EBUSY` if the signal is in use, or if no real-time signal is free; `EINVAL` if the
  ///   configured number is no real-time signal; `EMFILE`, `ENFILE` or `ENOMEM` if the five
  ///   descriptors cannot be had. Nothing stays behind.
  public convenience init(configuration: Configuration = Configuration()) throws(Errno) {
    try self.init(configuration: configuration, system: .live)
  }

  init(configuration: Configuration, system: AIOSystem) throws(Errno) {
    configuration.check()
    Orphanage.sweep()
    self.configuration = configuration
    groups = GroupTable(ofQueue: number)
    self.system = system
    if let helperLimit = configuration.helperLimit {
      caio_set_helper_limit(Int32(clamping: helperLimit))
    }
    signal = try CompletionSignal(configuration.signal)
    timer = try QueueTimer(system)
    backstop = Backstop(
      floor: configuration.backstopFloor, ceiling: configuration.backstopCeiling)
    descriptor = FileDescriptor(rawValue: try checked(caio_epoll()))
    // When one of these throws, deinit closes what is open: everything is stored by now.
    try add(signal.signalDescriptor, as: .signal)
    try add(signal.pipeDescriptor, as: .pipe)
    try add(timer.descriptor, as: .timer)
  }

  deinit {
    // Requests hold their file and files hold the queue, so nothing is unfinished here.
    if stage != .retired { Glibc.close(descriptor.rawValue) }
  }

  private func add(_ source: Int32, as name: QueueSources) throws(Errno) {
    try checked(caio_epoll_add(descriptor.rawValue, source, name.rawValue))
  }

  /// Whether a request with a buffer of this size would be accepted now.
  ///
  /// - Parameter byteCount: The buffer's capacity; 0 for a sync.
  /// - Returns: False where the request would be refused with `EAGAIN`.
  public func hasRoom(forBytes byteCount: Int = 0) -> Bool {
    let hasPlace =
      switch configuration.overflow {
      case .wait: waitingCount < configuration.waitingLimit
      case .refuse: unfinishedCount < configuration.inFlightLimit
      }
    return hasPlace
      && (books.heldByteCount == 0
        || byteCount <= configuration.heldByteLimit - books.heldByteCount)
  }

  var inFlightCount: Int { books.inFlight.count - books.counts.ownerless }

  /// Accepted and not handed over, also what is parked with its file.
  var waitingCount: Int {
    unfinishedCount - inFlightCount - books.finished.count - books.counts.joined
  }

  /// Hands what waits to glibc, looks at what the signals announced, and calls the handlers of what
  /// is done.
  ///
  /// Handlers may make requests, cancel and close; they must not call `drain`. What they ask for is
  /// handed over before `drain` returns, and what the page cache answers at once may be delivered
  /// by the same call.
  ///
  /// - Parameter limit: The most handlers to call; by default
  ///   ``Configuration/completionsPerDrain``. A negative limit counts as 0. When more is done the
  ///   descriptor stays readable.
  /// - Returns: The number of handlers called.
  @discardableResult
  public func drain(limit: Int? = nil) -> Int {
    let limit = limit ?? configuration.completionsPerDrain
    return drain(limit: limit, cachedReadLimit: limit)
  }

  /// As ``drain(limit:)``.
  ///
  /// - Parameters:
  ///   - cachedReadLimit: The most reads to try in the page cache. They may go on for ever, each
  ///     handler asking for the next, where glibc's operations come back as they end.
  ///   - sourcesAreReadable: Whether ``descriptor`` was reported to be readable, or may be. A loop
  ///     that drains because ``requestDrain`` asked for it, and polls the descriptor in each of its
  ///     turns, passes false when it has no such report, and saves a system call.
  package func drain(
    limit: Int, cachedReadLimit: Int, sourcesAreReadable: Bool = true
  ) -> Int {
    require(!books.isDraining, "CompletionQueue: a completion handler must not call drain()")
    guard stage != .retired else { return 0 }
    books.isDraining = true
    books.now = system.now()
    collect(looks: sourcesAreReadable)
    var deliveredCount = 0
    var cachedReadBudget = max(0, cachedReadLimit)
    while true {
      if !books.observations.isEmpty { tellObserver() }
      takeUpDeferredSyncs()
      handOver(&cachedReadBudget)
      let count = min(books.finished.count, limit - deliveredCount)
      guard count > 0 else { break }
      deliver(count)
      deliveredCount += count
      delivered?()
    }
    armTimer()
    books.isDraining = false
    assert(checkCounts(), "CompletionQueue: its counts are those of its requests")
    if deliveredCount > 0 { books.counters.wakeCount += 1 }
    if !books.finished.isEmpty || (cachedReadBudget == 0 && !books.ready.isEmpty) {
      wake(.nextTurn)
    }
    return deliveredCount
  }

  /// Makes the calling thread the queue's: blocks the signal in it.
  ///
  /// No thread can change the mask of another. So where a thread gives the queue to another one, it
  /// calls ``leaveCurrentThread()`` first; otherwise the signal stays blocked in it, which costs
  /// nothing but is inherited by the threads and programs that it starts. When the queue goes, the
  /// thread on which that happens gets its mask back, if it was changed here, and no other.
  package func moveToCurrentThread() {
    guard stage != .retired else { return }
    signal.blockInCurrentThread()
  }

  /// Gives the calling thread the mask back that it had before the queue was made on it or moved
  /// to it: the signal is unblocked if it was not blocked then. The queue loses nothing by that,
  /// also if it stays: the handler passes on what arrives here.
  package func leaveCurrentThread() {
    guard stage != .retired else { return }
    signal.unblockInCurrentThread()
  }

  /// Sees that `drain` is called soon.
  func wake(_ time: DrainTime = .thisTurn) {
    guard !books.isDraining, stage != .retired else { return }
    if let requestDrain {
      requestDrain(time)
    } else {
      signal.kick()
    }
  }

  private func armTimer() {
    if !books.inFlight.isEmpty {
      backstop.scheduleIfNeeded(now: books.now)
      timer.arm(backstop.dueAt)
    }
    if let earliest = books.deadlines.earliest {
      timer.arm(earliest.pointee.deadline)
    }
  }

  /// The lists and counts of a queue that every request passes through.
  struct Books {
    /// Files that have something to hand over, each taking its turn.
    var ready = ReadyFiles()
    /// Files whose next sync waits for completions to be delivered.
    var deferred = ReadyFiles()
    var inFlight = RequestList()
    var finished = RequestList()
    var deadlines = DeadlineHeap()
    var counters = Figures()
    var counts = QueueCounts()
    /// Bytes in the buffers of unfinished requests.
    var heldByteCount = 0
    var isDraining = false
    var stage = Stage.open
    /// What the observer has not been told yet.
    var observations: [Observation] = []
    /// When the present turn began, by the queue's clock.
    var now: UInt64 = 0
  }
}
