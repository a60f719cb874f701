internal import PosixAIO

/// Those who wait until the completion queue takes requests again.
@safe
final class QueueWaiters {
  private var waiting: [(byteCount: Int, call: () -> Void)] = []

  var count: Int { waiting.count }

  /// Calls `body` once when the queue takes a request with so many bytes, which it does not now.
  /// Others may be called first, and use the room up.
  func add(_ byteCount: Int, _ body: @escaping () -> Void) {
    waiting.append((byteCount, body))
  }

  /// Calls those for whom there is room, of all that waited until now.
  ///
  /// - Returns: How many.
  func call(where hasRoom: (Int) -> Bool) -> Int {
    guard !waiting.isEmpty else { return 0 }
    let all = waiting
    waiting = all.filter { !hasRoom($0.byteCount) }
    let due = all.filter { hasRoom($0.byteCount) }
    for waiter in due { waiter.call() }
    return due.count
  }
}
