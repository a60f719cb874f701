/// What is open in a loop, kept alive by it, and goes with it.
protocol OpenSocket: AnyObject {
  /// The loop goes: give everything back, call nobody.
  func loopIsGoing()
}

/// A loop's connections, listeners and connects in progress, and the calls that it owes them.
@safe
final class OpenSockets {
  private var sockets: [ObjectIdentifier: any OpenSocket] = [:]
  private var calls: [() -> Void] = []
  private let registry: EventRegistry
  private lazy var turn = Event(in: registry, descriptor: -1, flags: 0) { [unowned self] in
    let due = calls
    calls = []
    for call in due { call() }
  }

  init(_ registry: EventRegistry) {
    self.registry = registry
  }

  /// Keeps a socket alive until ``remove(_:)``.
  func insert(_ socket: any OpenSocket) {
    sockets[ObjectIdentifier(socket)] = socket
  }

  func remove(_ socket: any OpenSocket) {
    sockets[ObjectIdentifier(socket)] = nil
  }

  /// Has the loop make a call in its next turn, in order: handlers never run from inside the call
  /// that caused them.
  ///
  /// By a zero timer, since libevent runs what is activated within the same turn: two connections
  /// that keep each other busy would keep timers from theirs.
  func callLater(_ call: @escaping () -> Void) {
    calls.append(call)
    if calls.count == 1 { turn.add(timeout: .zero) }
  }

  /// Gives back what is open, and drops the calls.
  func close() {
    calls = []
    let open = sockets.values
    sockets = [:]
    for socket in open { socket.loopIsGoing() }
  }
}
