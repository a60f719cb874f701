internal import Synchronization
internal import SystemPackage

/// The loop's side of the helper threads: keeps the completions, which never leave the loop's
/// thread. What crosses threads is the work, its result, and a number.
@safe
final class Helpers {
  /// The most calls of one loop that wait for a lock at a time. They have threads of their own:
  /// what they wait for may need one of the others.
  static let lockWaiterLimit = 16

  private let remote: EventLoop.Remote
  private let threads: HelperThreads
  private let lockWaiters = HelperThreads(limit: lockWaiterLimit)
  private var lockWaiterCount = 0
  private let hold: WorkHold
  private var completions: [Int: () -> Void] = [:]
  private var nextNumber = 0

  init(limit: Int, remote: EventLoop.Remote, hold: WorkHold) {
    self.remote = remote
    self.hold = hold
    threads = HelperThreads(limit: limit)
  }

  /// Calls whose completion was not called yet.
  var waitingCount: Int { completions.count }

  deinit {
    threads.close()
    lockWaiters.close()
  }

  func run<Value: Sendable>(
    _ work: @escaping @Sendable () -> Value, _ completion: @escaping (Value) -> Void
  ) {
    run(on: threads, work, completion)
  }

  /// As ``run(_:_:)``, for work that waits for a lock.
  ///
  /// - Throws: `EAGAIN` if ``lockWaiterLimit`` others do. Nothing was started.
  func runLockWaiter<Value: Sendable>(
    _ work: @escaping @Sendable () -> Value, _ completion: @escaping (Value) -> Void
  ) throws(Errno) {
    guard lockWaiterCount < Self.lockWaiterLimit else { throw .resourceTemporarilyUnavailable }
    lockWaiterCount += 1
    run(on: lockWaiters, work) { [unowned self] value in
      lockWaiterCount -= 1
      completion(value)
    }
  }

  private func run<Value: Sendable>(
    on threads: HelperThreads, _ work: @escaping @Sendable () -> Value,
    _ completion: @escaping (Value) -> Void
  ) {
    let number = nextNumber
    nextNumber += 1
    let box = ResultBox<Value>()
    hold.begin()
    completions[number] = { [hold] in
      hold.end()
      // The work has put its result in before the loop was told.
      guard let value = box.take() else { preconditionFailure("Helpers: a result is there once") }
      completion(value)
    }
    threads.run { [remote] in
      box.put(work())
      remote.add(.body { loop in loop.helpers.finish(number) })
    }
  }

  private func finish(_ number: Int) {
    completions.removeValue(forKey: number)?()
  }
}

private final class ResultBox<Value: Sendable>: Sendable {
  private let value = Mutex<Value?>(nil)

  func put(_ value: Value) {
    self.value.withLock { $0 = value }
  }

  func take() -> Value? {
    value.withLock { value in
      defer { value = nil }
      return value
    }
  }
}
