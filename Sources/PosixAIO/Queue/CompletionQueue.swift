internal import CPosixAIO
internal import Glibc
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
/// A queue belongs to one thread, the one that makes it. It stays alive while a request is
/// unfinished, and gives its signal and descriptors back when the last reference to it and to its
/// files goes.
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

  /// Replaces the wake-up of the loop by ``descriptor`` when requests are made outside of
  /// ``drain(limit:)``: the loop promises to drain soon, and no system call is needed.
  package var requestDrain: (() -> Void)?

  let system: AIOSystem
  let signal: CompletionSignal
  let pool = RequestPool()
  let backstop: Backstop
  var batch = Batch()
  var groups = GroupTable()
  var waiting = RequestList()
  var inFlight = RequestList()
  var finished = RequestList()
  var counters = Counters()
  private var isDraining = false

  /// Makes a queue with a signal and descriptors of its own.
  ///
  /// The signal is blocked in the calling thread, and so in threads that it starts later.
  ///
  /// - Throws: `EBUSY` if the signal is in use, or if no real-time signal is free; `EINVAL` if the
  ///   configured number is no real-time signal; `EMFILE`, `ENFILE` or `ENOMEM` if the five
  ///   descriptors cannot be had. Nothing stays behind.
  public convenience init(configuration: Configuration = Configuration()) throws(Errno) {
    try self.init(configuration: configuration, system: .live)
  }

  init(configuration: Configuration, system: AIOSystem) throws(Errno) {
    self.configuration = configuration
    self.system = system
    signal = try CompletionSignal(configuration.signal)
    backstop = try Backstop(
      floor: configuration.backstopFloor, ceiling: configuration.backstopCeiling)
    descriptor = FileDescriptor(rawValue: try checked(caio_epoll()))
    for source in [signal.signalDescriptor, signal.pipeDescriptor, backstop.descriptor] {
      guard caio_epoll_add(descriptor.rawValue, source) == 0 else {
        let reason = Errno(rawValue: errno)
        Glibc.close(descriptor.rawValue)
        throw reason
      }
    }
  }

  deinit {
    // Requests hold their file and files hold the queue, so nothing is unfinished here.
    Glibc.close(descriptor.rawValue)
  }

  /// Requests accepted whose handler has not been called yet.
  public internal(set) var unfinishedCount = 0

  /// Requests that may still be made before the next one is refused.
  public var remainingCapacity: Int {
    max(0, configuration.waitingLimit - waitingCount)
  }

  /// In flight, but nobody's request.
  var doorbellCount = 0

  var inFlightCount: Int { inFlight.count - doorbellCount }

  /// Accepted and not handed over, also what is parked with its file.
  var waitingCount: Int { unfinishedCount - inFlightCount - finished.count }

  /// Hands what waits to glibc, looks at what the signals announced, and calls the handlers of what
  /// is done.
  ///
  /// Handlers may make requests, cancel and close; they must not call `drain`.
  ///
  /// - Parameter limit: The most handlers to call. When more is done the descriptor stays readable.
  /// - Returns: The number of handlers called.
  @discardableResult
  public func drain(limit: Int = .max) -> Int {
    precondition(!isDraining, "CompletionQueue: a completion handler must not call drain()")
    isDraining = true
    handOver()
    collect()
    let deliveredCount = deliver(min(limit, finished.count))
    handOver()
    isDraining = false
    if !finished.isEmpty { wake() }
    return deliveredCount
  }

  /// Makes the calling thread the queue's: blocks the signal in it.
  package func moveToCurrentThread() {
    signal.blockInCurrentThread()
  }

  /// Sees that `drain` is called soon.
  func wake() {
    guard !isDraining else { return }
    if let requestDrain {
      requestDrain()
    } else {
      signal.kick()
    }
  }

  /// Finishes the books of each request before its handler runs, so that the handler may do
  /// anything.
  private func deliver(_ count: Int) -> Int {
    var deliveredCount = 0
    while deliveredCount < count, let request = finished.popFirst() {
      let outcome = Outcome(taking: request)
      pool.put(request)
      unfinishedCount -= 1
      counters.completed += 1
      deliveredCount += 1
      outcome.deliver()
    }
    return deliveredCount
  }
}
