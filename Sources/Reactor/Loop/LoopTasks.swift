internal import PosixAIO
internal import Glibc

/// The tasks that ``EventLoop/startTask(_:)->Task<Value,Never>`` started and that have not ended.
@safe
final class LoopTasks {
  private let keepAlive: KeepAlive
  private var cancels: [Int: () -> Void] = [:]
  private var nextNumber = 0

  init(_ keepAlive: KeepAlive) {
    self.keepAlive = keepAlive
  }

  /// Tasks that have not ended.
  private(set) var count = 0

  /// Whether tasks that begin are cancelled at once: the loop is ending.
  private(set) var isCanceling = false

  func begin() -> Int {
    keepAlive.begin()
    count += 1
    nextNumber += 1
    return nextNumber
  }

  /// A task has begun that `cancel` cancels, and may end inside of no call to here.
  func began(_ number: Int, cancel: @escaping () -> Void) {
    cancels[number] = cancel
    if isCanceling { cancel() }
  }

  func end(_ number: Int) {
    guard let cancel = cancels.removeValue(forKey: number) else {
      trap("EventLoop: a task ends once")
    }
    keepAlive.end()
    count -= 1
    withExtendedLifetime(cancel) {}
  }

  /// Cancels all tasks, and those that begin from now on.
  func cancelAll() {
    isCanceling = true
    for cancel in Array(cancels.values) { cancel() }
  }

  /// Gives up those that are left, which will not be run any further, and says so.
  ///
  /// - Parameter executor: What they prefer. It stays for ever, since they may still become ready.
  func giveUp(after grace: Duration, _ executor: EventLoop.LoopTaskExecutor) {
    guard count > 0 else { return }
    _ = unsafe Unmanaged.passRetained(executor)
    let line = """
      EventLoop: \(count) of its tasks had not ended \(grace) after they were cancelled, and are \
      not run any further.

      """
    // Nothing is left to be done where this fails.
    _ = unsafe write(STDERR_FILENO, line, line.utf8.count)
    count = 0
    cancels = [:]
  }
}
