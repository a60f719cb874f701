/// When a loop looks for connections that were dropped without having been closed.
///
/// A connection with handlers lives as long as it is open. One without, that nobody waits on and
/// nobody refers to, can never be used or closed again, and would stay for as long as its peer
/// does. Dropping it leaves no trace, so the loop looks: ``firstDelay`` after a connection was
/// made, and then less and less often, down to ``longestDelay``, while some connections have no
/// handlers. Connections with handlers, such as those of a server of callbacks, cause one look a
/// second at most, and none while no connection is made.
struct DropSearch {
  /// How soon a dropped connection is found if it was just made.
  static let firstDelay = Duration.seconds(1)
  /// The longest time between two looks.
  static let longestDelay = Duration.seconds(64)

  fileprivate var timer: EventLoop.Timer?
  fileprivate var delay = firstDelay
}

extension LoopCore {
  /// A connection was made: looks for dropped ones in ``DropSearch/firstDelay``.
  func searchForDrops() {
    if sockets.dropSearch.timer != nil {
      guard sockets.dropSearch.delay > DropSearch.firstDelay else { return }
      sockets.dropSearch.timer?.cancel()
    }
    sockets.dropSearch.delay = DropSearch.firstDelay
    searchLater()
  }

  private func searchLater() {
    // The timer goes with the loop.
    sockets.dropSearch.timer = schedule(after: sockets.dropSearch.delay) { [unowned self] in
      sockets.dropSearch.timer = nil
      for connection in sockets.droppedConnections() { connection.close() }
      guard sockets.hasConnectionsWithoutHandlers else { return }
      sockets.dropSearch.delay = min(sockets.dropSearch.delay * 2, DropSearch.longestDelay)
      searchLater()
    }
  }
}

extension Connection {
  /// Whether nobody is told of anything that happens to it.
  var hasNoHandlers: Bool {
    onReceiveHandler == nil && onInputHandler == nil && onEndOfInputHandler == nil
      && onDrainedHandler == nil && onProgressHandler == nil && onCloseHandler == nil
  }

  /// Whether it is open, and only somebody with a reference could do anything about it.
  var isUnattended: Bool {
    isInUse && hasNoHandlers && reader == nil && writers.isEmpty && closers.isEmpty
  }
}
