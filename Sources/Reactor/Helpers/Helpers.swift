internal import PosixAIO
internal import Synchronization
internal import SystemPackage

/// The loop's side of the helper threads. It stores the completions, which never leave the loop's
/// thread. Only the work, its result, and a number cross threads.
///
/// If the loop has ended, a result is released on the helper thread. So the result itself owns any
/// resource that must be released: a descriptor, a lock, a name.
@safe
final class Helpers {
  /// The kinds of work. Each has threads of its own, so that none delays another.
  enum Kind: Int, CaseIterable {
    /// Calls to the file system.
    case fileCall
    /// The user's work.
    case offloaded
    /// A resolver call, which may take half a minute for each name.
    case nameLookUp
    /// A wait for a file lock, as long as another holder keeps it.
    case lockWait
  }

  /// The most calls of one loop that wait for locks at a time. Each occupies a thread.
  static let lockWaiterLimit = 16
  /// The most name look-ups at a time. Further ones are queued.
  static let nameLookUpLimit = 4

  typealias Completion<Value> = (Result<Value, Errno>) -> Void

  private struct Call {
    let kind: Kind
    /// Receives nil if the work has ended, or the reason why it was given up.
    let complete: (Errno?) -> Void
  }

  private let remote: EventLoop.Remote
  private let nextTurn: NextTurnCalls
  private let keepAlive: KeepAlive
  private let limit: Int
  private let pools: [HelperThreads]
  private var pending: [Int: Call] = [:]
  private var nextNumber = 0
  private var lockWaiterCount = 0
  private var isCanceling = false

  /// - Parameters:
  ///   - threadLimit: The most threads for file calls, and also for offloaded work.
  ///   - limit: The most unfinished calls.
  init(
    threadLimit: Int, limit: Int, _ remote: EventLoop.Remote, _ nextTurn: NextTurnCalls,
    _ keepAlive: KeepAlive
  ) {
    self.remote = remote
    self.nextTurn = nextTurn
    self.keepAlive = keepAlive
    self.limit = limit
    pools = Kind.allCases.map { kind in
      switch kind {
      case .fileCall, .offloaded: HelperThreads(limit: threadLimit)
      case .nameLookUp: HelperThreads(limit: Self.nameLookUpLimit)
      case .lockWait: HelperThreads(limit: Self.lockWaiterLimit, mayWait: false)
      }
    }
  }

  deinit { close() }

  /// Calls whose completion was not called yet.
  var unfinishedCount: Int { pending.count }

  /// Runs work on a thread of the given kind, then its completion on the loop.
  ///
  /// - Parameters:
  ///   - isCleanUp: Whether the work releases a resource. Such work always runs, even over the
  ///     limit and when the loop is being cut off.
  ///   - completion: Called once, never inside this call: with the result of `work`; with `EAGAIN`
  ///     over the limit; or with `ECANCELED` when the loop ends. After an error the work was not
  ///     started, or continues with its result discarded.
  func run<Value: Sendable>(
    _ kind: Kind, isCleanUp: Bool = false, _ work: @escaping @Sendable () -> Value,
    _ completion: @escaping Completion<Value>
  ) {
    if !isCleanUp, let reason = refusal(of: kind) {
      return nextTurn.add { completion(.failure(reason)) }
    }
    let number = nextNumber
    nextNumber += 1
    let work = HelperWork(work)
    keepAlive.begin()
    if kind == .lockWait { lockWaiterCount += 1 }
    pending[number] = Call(kind: kind) { reason in
      if let reason { return completion(.failure(reason)) }
      // The work stores its result before it notifies the loop.
      guard let value = work.takeResult() else {
        trap("Helpers: a result is taken once")
      }
      completion(.success(value))
    }
    let isRun = pools[kind.rawValue].run(number: isCleanUp ? nil : number) { [remote] in
      work.perform()
      remote.add(.internalBody { core in core.helpers.finish(number, nil) })
    }
    if !isRun { finishNextTurn(number, .resourceTemporarilyUnavailable) }
  }

  /// Whether one more lock wait is within the limit.
  var mayWaitForLock: Bool { lockWaiterCount < Self.lockWaiterLimit }

  private func refusal(of kind: Kind) -> Errno? {
    if isCanceling { return .canceled }
    if pending.count >= limit { return .resourceTemporarilyUnavailable }
    if kind == .lockWait, !mayWaitForLock { return .resourceTemporarilyUnavailable }
    return nil
  }

  private func finish(_ number: Int, _ reason: Errno?) {
    guard let ended = pending.removeValue(forKey: number) else { return }
    keepAlive.end()
    if ended.kind == .lockWait { lockWaiterCount -= 1 }
    ended.complete(reason)
  }

  // MARK: - The end

  /// Completes lock waits with `ECANCELED`. A lock that is taken afterwards is released with its
  /// result.
  func giveUpLockWaits() {
    giveUp { $0.kind == .lockWait }
  }

  /// Refuses new work, and completes work that has not started with `ECANCELED`.
  func beginCanceling() {
    isCanceling = true
    for pool in pools {
      for number in pool.takeBack() { finishNextTurn(number) }
    }
  }

  /// Completes all work with `ECANCELED`. Work that has started continues with its result
  /// discarded.
  func giveUpAll() {
    giveUp { _ in true }
  }

  private func giveUp(_ isMeant: (Call) -> Bool) {
    for (number, call) in pending.sorted(by: { $0.key < $1.key }) where isMeant(call) {
      finishNextTurn(number)
    }
  }

  private func finishNextTurn(_ number: Int, _ reason: Errno = .canceled) {
    nextTurn.add { [self] in finish(number, reason) }
  }

  /// Ends the threads after their remaining work.
  func close() {
    for pool in pools { pool.close() }
  }
}

/// Work that runs once, and its result.
///
/// The work's captures are released when it has run, before the loop is notified: they may hold the
/// last reference to a descriptor.
private final class HelperWork<Value: Sendable>: Sendable {
  private enum State {
    case work(@Sendable () -> Value)
    case result(Value)
    case nothing
  }

  private let state: Mutex<State>

  init(_ work: @escaping @Sendable () -> Value) {
    state = Mutex(.work(work))
  }

  func perform() {
    guard case .work(let work) = exchange(.nothing) else { return }
    let value = work()
    _ = exchange(.result(value))
  }

  func takeResult() -> Value? {
    if case .result(let value) = exchange(.nothing) { value } else { nil }
  }

  private func exchange(_ new: State) -> State {
    state.withLock { state in
      defer { state = new }
      return state
    }
  }
}
