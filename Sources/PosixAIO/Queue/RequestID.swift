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
