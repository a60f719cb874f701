internal import CLibevent
public import PosixAIO
internal import SystemPackage

/// Where the completion queue and the event loop meet, which is the idea of this package: file
/// operations complete in the loop's turns, like events of sockets.
///
/// The queue has one descriptor. It is an ordinary read event of libevent's base. When it is
/// readable, or when requests were made, the loop drains the queue in the same turn.
extension EventLoop {
  /// Runs the loop's file operations. Traps on any thread but the loop's.
  public var queue: CompletionQueue {
    core.checkAccess()
    return core.queue
  }
}

/// The loop's side of the join: when to drain, how much, and what a drain leads to.
@safe
final class LoopFiles {
  private let queue: CompletionQueue
  /// Writers that wait until the queue has room.
  let waiters = QueueWaiters()

  /// Whether the queue's descriptor was reported as readable since the last drain.
  private var isReadable = false
  /// Whether a drain stopped at its limit, so that there is more to do.
  private var isCutShort = false
  /// Whether unfinished requests keep a borrowed base running.
  private var keepsBase = false

  init(_ queue: CompletionQueue) {
    self.queue = queue
  }

  /// Connects the queue to a loop: its descriptor, and its requests to be drained, wake the loop.
  func connect(to core: LoopCore) {
    let drain = core.turnEvent(budget: { $0.files.completionsPerTurn(of: $0) }) { core, budget in
      let files = core.files
      return files.drain(
        on: core, limit: budget, sources: files.isReadable ? .polls : .skips)
    }
    // Requests made outside a drain need no system call: libevent's event_active runs the drain
    // later in the same turn.
    queue.requestDrain = { [unowned self] time in
      switch time {
      case .thisTurn:
        drain.runThisTurn()
      case .nextTurn:
        isCutShort = true
        drain.runNextTurn()
      }
    }
    // A task that awaits a result continues inside the drain that has it.
    queue.handlersCalled = { [executor = core.executor] in executor.runReady() }
    core.watchDescriptor(queue.descriptor.rawValue, drain) { $0.files.isReadable = true }
  }

  /// Drains the queue, runs the tasks that waited for results, and calls the waiters for which
  /// there is room.
  ///
  /// - Parameter sources: Whether the queue's descriptor may be readable.
  /// - Returns: The number of calls made, and 1 more if there is more to do.
  func drain(
    on core: LoopCore, limit: Int, sources: CompletionQueue.SourceCheck
  ) -> Int {
    isCutShort = false
    isReadable = false
    var count = core.executor.servingJobs {
      queue.drain(
        limit: limit, cachedReadLimit: cachedReadsPerTurn(of: core), sources: sources)
    } isOver: {
      !isCutShort
    }
    keepBaseWhileBusy(core.keepAlive)
    count += waiters.call { core.refusesWork || queue.hasRoom(forBytes: $0) }
    return isCutShort ? count + 1 : count
  }

  // Sockets first: while other descriptors are watched, a turn completes fewer requests.

  private func completionsPerTurn(of core: LoopCore) -> Int {
    let most = core.configuration.queue.completionsPerDrain
    return core.registry.watchesOthers
      ? min(most, core.configuration.completionsPerSharedTurn) : most
  }

  private func cachedReadsPerTurn(of core: LoopCore) -> Int {
    core.registry.watchesOthers
      ? core.configuration.cachedReadsPerSharedTurn : core.configuration.queue.completionsPerDrain
  }

  /// A request made outside a drain needs no call of this: it asks for a drain, and that event
  /// keeps the base running.
  private func keepBaseWhileBusy(_ keepAlive: KeepAlive) {
    let isBusy = queue.unfinishedCount > 0
    guard isBusy != keepsBase else { return }
    keepsBase = isBusy
    if isBusy { keepAlive.begin() } else { keepAlive.end() }
  }
}

/// Calls that wait until the completion queue has room for a request again.
@safe
final class QueueWaiters {
  private var waiting: [(byteCount: Int, call: () -> Void)] = []

  var count: Int { waiting.count }

  /// Calls `body` once when the queue has room for a request with this many bytes, which it has not
  /// now. Waiters that are called before may use up the room.
  func add(_ byteCount: Int, _ body: @escaping () -> Void) {
    waiting.append((byteCount, body))
  }

  /// Calls those of the present waiters for which there is room.
  ///
  /// - Returns: The number of calls.
  func call(where hasRoom: (Int) -> Bool) -> Int {
    guard !waiting.isEmpty else { return 0 }
    let all = waiting
    waiting = all.filter { !hasRoom($0.byteCount) }
    let due = all.filter { hasRoom($0.byteCount) }
    for waiter in due { waiter.call() }
    return due.count
  }
}
