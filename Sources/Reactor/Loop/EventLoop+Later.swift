extension EventLoop {
  /// Calls `body` in the next turn of the loop: what has an answer at once does not give it from
  /// inside the call that asks.
  func later(_ body: @escaping () -> Void) {
    sockets.callLater(body)
  }
}
