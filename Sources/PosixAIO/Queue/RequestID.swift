/// Identifies an unfinished request of one queue, so that it can be cancelled. An ID is never
/// reused.
public struct RequestID: Hashable, Sendable {
  /// The request's slot, and how often the slot had been used before.
  let index: UInt32
  let generation: UInt32
  /// The ``CompletionQueue/number`` of its queue.
  let queue: UInt32

  init(_ request: RequestRef, queue: UInt32) {
    self.queue = queue
    index = request.pointee.index
    generation = request.pointee.generation
  }
}

/// IDs as numbers, for code that knows their queue.
extension RequestID {
  /// Identifies the request within its queue; 0 for ``refused``, and for no other.
  package var rawValue: UInt64 {
    self == .refused ? 0 : UInt64(index + 1) << 32 | UInt64(generation)
  }

  /// - Parameters:
  ///   - rawValue: Any number.
  ///   - queue: The queue that the number belongs to.
  package init(rawValue: UInt64, of queue: CompletionQueue) {
    let place = UInt32(truncatingIfNeeded: rawValue >> 32)
    guard place > 0 else {
      self = .refused
      return
    }
    self.queue = queue.number
    index = place - 1
    generation = UInt32(truncatingIfNeeded: rawValue)
  }
}
