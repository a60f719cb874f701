/// The schedule on which a loop looks for connections that were dropped without being closed.
///
/// A connection with handlers stays open until it is closed. One without handlers, waiters or
/// references can never be used or closed again, and would otherwise stay open as long as its peer
/// does. Dropping the last reference gives no notice, so the loop looks: ``firstDelay`` after a
/// connection is made, then at doubling delays up to ``longestDelay``, while some connections have
/// no handlers. Connections with handlers, such as those of a callback server, cause at most one
/// look a second, and none while no connection is made.
struct DropSearch {
  /// The delay before the first look after a connection is made. A variable, so that tests wait
  /// less.
  var firstDelay = Duration.seconds(1)
  /// The longest delay between two looks.
  static let longestDelay = Duration.seconds(64)

  fileprivate var timer: EventLoop.Timer?
  /// The delay before the next look.
  fileprivate(set) var delay = Duration.zero
}

extension LoopCore {
  /// Schedules a look ``DropSearch/firstDelay`` after a connection was made.
  func searchForDrops() {
    if sockets.dropSearch.timer != nil {
      guard sockets.dropSearch.delay > sockets.dropSearch.firstDelay else { return }
      sockets.dropSearch.timer?.cancel()
    }
    sockets.dropSearch.delay = sockets.dropSearch.firstDelay
    scheduleSearch()
  }

  private func scheduleSearch() {
    // The timer ends with the loop.
    sockets.dropSearch.timer = schedule(after: sockets.dropSearch.delay) { [unowned self] in
      sockets.dropSearch.timer = nil
      for connection in sockets.droppedConnections() { connection.close() }
      guard sockets.hasConnectionsWithoutHandlers else { return }
      sockets.dropSearch.delay = min(sockets.dropSearch.delay * 2, DropSearch.longestDelay)
      scheduleSearch()
    }
  }
}

extension Connection {
  /// Whether no handler is set.
  var hasNoHandlers: Bool {
    onReceiveHandler == nil && onInputHandler == nil && onEndOfInputHandler == nil
      && onDrainedHandler == nil && onProgressHandler == nil && onCloseHandler == nil
  }

  /// Whether it is open with no handler and no waiting task, so only code that holds a reference
  /// can act on it.
  var isUnattended: Bool {
    isInUse && hasNoHandlers && reader == nil && writers.isEmpty && closers.isEmpty
  }
}
