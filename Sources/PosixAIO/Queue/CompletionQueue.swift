internal import CPosixAIO
internal import Glibc
internal import Synchronization
public import SystemPackage

/// Runs file operations through glibc's POSIX AIO, and reports their completions through one
/// descriptor that any event loop can poll.
///
/// Make requests on an ``AIOFile``. When ``descriptor`` is readable, call ``drain(limit:)``: it
/// calls the handlers of the finished requests. Each accepted request gets exactly one call of its
/// handler, from `drain` and never from inside the call that made the request.
///
/// A real-time signal announces completions; the queue reads it from a signalfd. A signal is only a
/// hint: results come from `aio_error(3)` and `aio_return(3)`. The queue submits operations with
/// `lio_listio(3)` in groups whose members do not signal, because glibc overwrites the result of an
/// operation whose own signal it cannot queue. A timer that is armed only while operations are in
/// flight finds completions whose signal was lost.
///
/// **Threads.** A queue belongs to the thread that makes it, until another thread calls
/// ``moveToCurrentThread()``. The queue and its files are used on that thread only; elsewhere,
/// their methods trap.
///
/// **The end.** A request holds its file, and a file its queue. If you drop all references to a
/// queue that has unfinished requests, it stays alive with its signal and its descriptors, and is
/// never drained again: drain until ``unfinishedCount`` is 0 before you drop it. A queue without
/// unfinished requests gives back its signal and descriptors when the last reference to it and to
/// its files goes.
///
/// The queue of an event loop ends with the loop: unfinished requests complete with `ECANCELED`,
/// new ones are refused with `ECANCELED`, and ``descriptor`` is closed. Operations that the kernel
/// still runs then, such as a read from an empty pipe, keep only their memory and their file's
/// descriptors until the kernel is done with them.
@safe
public final class CompletionQueue {
  /// Gets the number of bytes moved or the error, and the buffer.
  public typealias TransferHandler = (Result<Int, FileError>, consuming IOBuffer) -> Void

  /// Gets the outcome of an operation without data.
  public typealias SyncHandler = (Result<Void, FileError>) -> Void

  /// Readable when ``drain(limit:)`` has something to do. Poll it level-triggered; never read it.
  public let descriptor: FileDescriptor

  /// The configuration with which the queue was made.
  public let configuration: Configuration

  /// Is told of each operation that comes back from glibc.
  public weak var observer: (any CompletionQueueObserver)?

  /// If set, is called instead of making ``descriptor`` readable, which saves a system call. The
  /// loop promises to drain at the given time. The call can come in the middle of a change of
  /// state, so it may only take a note, and must not use the queue or its files.
  public var requestDrain: ((DrainTime) -> Void)?

  /// If set, is called during ``drain(limit:)`` after each run of handlers, so that a loop can
  /// resume the tasks that waited for them. The same drain submits the requests that those make.
  public var handlersCalled: (() -> Void)?

  /// Identifies the queue within the process.
  let number = CompletionQueue.numbers.wrappingAdd(1, ordering: .relaxed).newValue
  private static let numbers = Atomic<UInt32>(0)

  /// The queue's thread; 0 after its end, when any thread may ask for what is left.
  private let owner = Atomic(pthread_self())

  let system: AIOSystem
  let signal: CompletionSignal
  let pool = RequestPool()
  let timer: QueueTimer
  var backstop: Backstop
  var batch = Batch()
  var groups: GroupTable
  var mergeMemory = MergeMemory()
  var heldBack = HeldBackFiles()
  var lookSteps = LookSteps()

  /// How far the queue's end has come.
  var stage: Stage {
    get { hot.stage }
    set { hot.stage = newValue }
  }

  private let hotStorage = UncheckedBox(HotState())

  /// The state that every request passes through.
  var hot: HotState {
    unsafeAddress { unsafe UnsafePointer(hotStorage.address) }
    unsafeMutableAddress { unsafe hotStorage.address }
  }

  /// Makes a queue with a signal and descriptors of its own.
  ///
  /// The signal is blocked in the calling thread, and therefore in threads that it starts later. If
  /// it was not blocked before, and the queue ends on the same thread, it is unblocked again then.
  ///
  /// - Parameter configuration: The limits. A value outside its range traps.
  /// - Throws: `EBUSY` if the configured signal is in use, or if no real-time signal is free;
  ///   `EINVAL` if the configured number is not a real-time signal; `EMFILE`, `ENFILE` or `ENOMEM`
  ///   if the five descriptors cannot be opened. Nothing stays behind.
  public convenience init(configuration: Configuration = Configuration()) throws(Errno) {
    try self.init(configuration: configuration, system: .live)
  }

  init(configuration: Configuration, system: AIOSystem) throws(Errno) {
    configuration.check()
    Orphanage.sweep()
    self.configuration = configuration
    groups = GroupTable(ofQueue: number)
    self.system = system
    if let aioThreadLimit = configuration.aioThreadLimit {
      caio_set_thread_limit(Int32(clamping: aioThreadLimit))
    }
    signal = try CompletionSignal(configuration.signal)
    timer = try QueueTimer(system)
    backstop = Backstop(
      floor: configuration.backstopFloor, ceiling: configuration.backstopCeiling)
    descriptor = FileDescriptor(rawValue: try checked(caio_epoll()))
    // All properties are set, so deinit closes what is open if one of these throws.
    try add(signal.signalDescriptor, as: .signal)
    try add(signal.pipeDescriptor, as: .pipe)
    try add(timer.descriptor, as: .timer)
  }

  deinit {
    // Requests hold their file and files hold the queue, so no request is unfinished here.
    if stage != .retired { Glibc.close(descriptor.rawValue) }
  }

  private func add(_ source: Int32, as name: QueueSources) throws(Errno) {
    try checked(caio_epoll_add(descriptor.rawValue, source, name.rawValue))
  }

  // MARK: - Its thread

  /// Traps on any thread but the queue's, until the queue has ended.
  @inline(__always)
  func checkThread() {
    let owner = owner.load(ordering: .relaxed)
    require(
      owner == pthread_self() || owner == 0,
      """
      CompletionQueue: a queue and its files are used on the thread that made the queue; to use \
      them on another one, call moveToCurrentThread() there
      """)
  }

  /// Makes the calling thread the queue's. The former thread must not use the queue any more.
  ///
  /// The queue's signal is blocked in the calling thread, until the queue ends on it or it calls
  /// ``leaveCurrentThread()``. A thread cannot change the signal mask of another one: call
  /// ``leaveCurrentThread()`` on the former thread first. Otherwise the signal stays blocked there,
  /// and threads and programs started from there inherit that.
  public func moveToCurrentThread() {
    guard stage != .retired else { return }
    owner.store(pthread_self(), ordering: .relaxed)
    signal.blockInCurrentThread()
  }

  /// Restores the signal mask that the calling thread had before the queue was made on it or moved
  /// to it, to prepare ``moveToCurrentThread()`` on another thread.
  ///
  /// The queue works on here until then: a signal handler passes on the signals that arrive on this
  /// thread.
  public func leaveCurrentThread() {
    checkThread()
    guard stage != .retired else { return }
    signal.unblockInCurrentThread()
  }

  /// Lets any thread use what is left of a retired queue.
  func leaveAllThreads() {
    owner.store(0, ordering: .relaxed)
  }

  // MARK: - What it holds

  /// The number of accepted requests whose handler has not been called yet. Traps on any thread but
  /// the queue's.
  public var unfinishedCount: Int {
    checkThread()
    return hot.counts.unfinished
  }

  /// Whether a request with a buffer of this size would be accepted now. Traps on any thread but
  /// the queue's.
  ///
  /// - Parameter byteCount: The buffer's capacity; 0 for a sync.
  /// - Returns: False if the request would be refused with `EAGAIN`.
  public func hasRoom(forBytes byteCount: Int = 0) -> Bool {
    checkThread()
    return hasRoom(for: byteCount)
  }

  func hasRoom(for byteCount: Int) -> Bool {
    let hasPlace =
      switch configuration.overflow {
      case .wait: waitingCount < configuration.waitingLimit
      case .refuse: hot.counts.unfinished < configuration.inFlightLimit
      }
    return hasPlace
      && (hot.heldByteCount == 0
        || byteCount <= configuration.heldByteLimit - hot.heldByteCount)
  }

  var inFlightCount: Int { hot.inFlight.count - hot.counts.ownerless }

  /// The number of requests not yet submitted, including those parked with their file.
  var waitingCount: Int {
    hot.counts.unfinished - inFlightCount - hot.finished.count - hot.counts.joined
  }

  // MARK: - Drain

  /// Submits waiting requests to glibc, reaps the ones that have ended, and calls their handlers.
  ///
  /// A drain has a limit. If it stops there, the descriptor stays readable.
  ///
  /// Handlers may make requests, cancel and close; they must not call `drain`. The same drain
  /// submits the requests that they make, and completes those that the page cache can serve, up to
  /// the limit.
  ///
  /// Traps on any thread but the queue's.
  ///
  /// - Parameter limit: The most handlers to call; by default
  ///   ``Configuration/completionsPerDrain``. A negative limit counts as 0.
  /// - Returns: The number of handlers called.
  @discardableResult
  public func drain(limit: Int? = nil) -> Int {
    let limit = limit ?? configuration.completionsPerDrain
    return drain(limit: limit, cachedReadLimit: limit, sources: .polls)
  }

  /// As ``drain(limit:)``.
  ///
  /// - Parameters:
  ///   - cachedReadLimit: The most reads to try in the page cache. Handlers that each make another
  ///     cached read could go on forever, unlike those that wait for glibc.
  ///   - sources: How the queue learns what has arrived. A loop that watches ``descriptor`` in each
  ///     turn skips that if it drains for ``requestDrain`` alone, which saves a system call.
  package func drain(limit: Int, cachedReadLimit: Int, sources: SourceCheck) -> Int {
    checkThread()
    require(!hot.isDraining, "CompletionQueue: a completion handler must not call drain()")
    guard stage != .retired else { return 0 }
    hot.isDraining = true
    hot.now = system.now()
    collect(sources)
    var calledCount = 0
    var cachedReadBudget = max(0, cachedReadLimit)
    while true {
      if !hot.observations.isEmpty { tellObserver() }
      resumeDeferredSyncs()
      submitReady(&cachedReadBudget)
      let count = min(hot.finished.count, limit - calledCount)
      guard count > 0 else { break }
      completeFinished(count)
      calledCount += count
      handlersCalled?()
    }
    armTimer()
    hot.isDraining = false
    assert(checkCounts(), "CompletionQueue: its counts do not match its requests")
    if calledCount > 0 { hot.counters.wakeCount += 1 }
    if !hot.finished.isEmpty || (cachedReadBudget == 0 && !hot.ready.isEmpty) {
      wake(.nextTurn)
    }
    return calledCount
  }

  /// Makes the loop call `drain` soon.
  func wake(_ time: DrainTime = .thisTurn) {
    guard !hot.isDraining, stage != .retired else { return }
    if let requestDrain {
      requestDrain(time)
    } else {
      signal.kick()
    }
  }

  private func armTimer() {
    if !hot.inFlight.isEmpty {
      backstop.scheduleIfNeeded(now: hot.now)
      if !lookSteps.isOnItsWay { timer.arm(backstop.dueAt) }
    }
    if let earliest = hot.deadlines.earliest {
      timer.arm(earliest.pointee.deadline)
    }
  }

  /// The lists and counts that every request passes through.
  struct HotState {
    /// Files that have requests to submit, in the order of their slices.
    var ready = FIFO<AIOFile>()
    /// Files whose next sync waits for handlers to be called.
    var deferred = FIFO<AIOFile>()
    var inFlight = RequestList()
    var finished = RequestList()
    var deadlines = DeadlineHeap()
    var counters = Statistics()
    var counts = QueueCounts()
    /// The number of bytes in the buffers of unfinished requests.
    var heldByteCount = 0
    var isDraining = false
    var stage = Stage.open
    /// What the observer has not been told yet.
    var observations: [Observation] = []
    /// The queue's clock at the start of the current drain, or at the last request outside one.
    var now: UInt64 = 0
  }
}
