internal import PosixAIO
internal import Glibc

/// The unfinished tasks of ``EventLoop/startTask(_:)->Task<Value,Never>``.
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

  /// Whether new tasks are cancelled at once, because the loop is ending.
  private(set) var isCanceling = false

  func begin() -> Int {
    keepAlive.begin()
    count += 1
    nextNumber += 1
    return nextNumber
  }

  /// Registers how to cancel a task that was started. The task cannot end inside this call.
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

  /// Cancels all tasks, present and future.
  func cancelAll() {
    isCanceling = true
    for cancel in Array(cancels.values) { cancel() }
  }

  /// Abandons the remaining tasks, which do not run any further, and reports them on standard
  /// error.
  ///
  /// - Parameters:
  ///   - executor: The executor that they prefer. It is never freed, since they may still become
  ///     ready.
  ///   - reason: Why they are abandoned, for the report.
  func giveUp(_ executor: EventLoop.LoopTaskExecutor, _ reason: String) {
    guard count > 0 else { return }
    _ = unsafe Unmanaged.passRetained(executor)
    let line = "EventLoop: \(count) of its tasks \(reason), and will not run any further.\n"
    // A failed write cannot be handled here.
    _ = unsafe write(STDERR_FILENO, line, line.utf8.count)
    count = 0
    cancels = [:]
  }
}
