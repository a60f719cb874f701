internal import PosixAIO
internal import Synchronization
internal import SystemPackage

/// The loop's side of the helper threads: keeps the completions, which never leave the loop's
/// thread. What crosses threads is the work, its result, and a number.
///
/// A result that nobody takes, because the loop has ended, goes on the helper thread. So what has
/// to be given back, a descriptor, a lock, a name, is owned by the result itself.
@safe
final class Helpers {
  /// What work waits for. Each kind has threads of its own, so that none keeps another waiting.
  enum Kind: Int, CaseIterable {
    /// The file system.
    case fileCall
    /// The user's own work.
    case offloaded
    /// A resolver, which may take half a minute for each name.
    case nameLookUp
    /// Somebody else's lock, for as long as that is held.
    case lockWait
  }

  /// The most calls of one loop that wait for a lock at a time: each takes a thread.
  static let lockWaiterLimit = 16
  /// The most look-ups of names at a time. Further ones wait.
  static let nameLookUpLimit = 4

  typealias Completion<Value> = (Result<Value, Errno>) -> Void

  private struct Call {
    let kind: Kind
    /// Gets nil where it has ended, or why it will not.
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
  ///   - threadLimit: The most threads for calls on files, and as many for offloaded work.
  ///   - limit: The most calls that have not ended.
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

  /// Runs work on a thread of a kind, then its completion on the loop.
  ///
  /// - Parameters:
  ///   - isCleanUp: Whether it gives something back, and is therefore run in any case: over the
  ///     limit, and when the loop is being cut off.
  ///   - completion: Called once, never from inside this call: with the result of `work`; with
  ///     `EAGAIN` over the limit, or `ECANCELED` when the loop ends, and then the work was not
  ///     started, or goes on unseen.
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
      // The work has put its result in before the loop was told.
      guard let value = work.takeResult() else {
        trap("Helpers: a result is there once")
      }
      completion(.success(value))
    }
    let isRun = pools[kind.rawValue].run(number: isCleanUp ? nil : number) { [remote] in
      work.perform()
      remote.add(.internalBody { core in core.helpers.finish(number, nil) })
    }
    if !isRun { finishNextTurn(number, .resourceTemporarilyUnavailable) }
  }

  /// Whether another wait for a lock would not be refused for their number.
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

  /// Answers those that wait for locks with `ECANCELED`. A lock that is taken after all is released
  /// with its result.
  func giveUpLockWaits() {
    giveUp { $0.kind == .lockWait }
  }

  /// Refuses work from now on, and answers with `ECANCELED` what has not begun.
  func beginCanceling() {
    isCanceling = true
    for pool in pools {
      for number in pool.takeBack() { finishNextTurn(number) }
    }
  }

  /// Answers everything with `ECANCELED`; what has begun goes on unseen.
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

  /// Lets the threads end after what they have to do.
  func close() {
    for pool in pools { pool.close() }
  }
}

/// Work that is done once, and its result.
///
/// What the work captures is released when it is done, before the loop is told: it may be the last
/// to use a descriptor.
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
