/// Pipes, sockets and terminals: each can keep a helper thread for ever, so few of them have
/// something in flight, and the others wait for one to end.
extension CompletionQueue {
  /// Whether a pipe or its like may begin now; one that may not is made ready when another ends.
  func admitsStream(_ file: AIOFile) -> Bool {
    guard file.traits.isStream, file.inFlightCount == 0 else { return true }
    guard books.counts.streams < configuration.streamLimit else {
      if !file.isHeldBack { heldBack.append(file) }
      file.isHeldBack = true
      return false
    }
    return true
  }

  /// Makes ready what was held back for the longest time, when there is a place for it.
  func admitNextStream() {
    guard books.counts.streams < configuration.streamLimit else { return }
    while let file = heldBack.popFirst() {
      file.isHeldBack = false
      guard file.waiting.isEmpty else { return makeReady(file) }
    }
  }
}
