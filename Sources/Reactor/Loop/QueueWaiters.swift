internal import PosixAIO

/// Those who wait until the completion queue takes requests again.
@safe
final class QueueWaiters {
  private var waiting: [() -> Void] = []

  var count: Int { waiting.count }

  /// Calls `body` once when the queue takes requests again, which it does not now. Others may be
  /// called first, and use the room up.
  func add(_ body: @escaping () -> Void) {
    waiting.append(body)
  }

  /// Calls those who waited until now.
  ///
  /// - Returns: How many.
  func call() -> Int {
    let due = waiting
    waiting = []
    for body in due { body() }
    return due.count
  }
}
