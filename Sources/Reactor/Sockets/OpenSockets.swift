/// An open socket that its loop keeps alive and closes at its end.
package protocol OpenSocket: AnyObject {
  /// The loop is ending: closes now and reports it in the next turn.
  func loopIsEnding()
}

/// A loop's connections, listeners and connection attempts.
@safe
final class OpenSockets {
  private var connections: [ObjectIdentifier: Connection] = [:]
  /// Listeners and connection attempts.
  private var others: [ObjectIdentifier: any OpenSocket] = [:]
  var dropSearch = DropSearch()
  private let nextTurnCalls: NextTurnCalls
  let blocks = BufferedSocket.Blocks()

  /// Sockets with output to send.
  #if !DEBUG
    @safe @exclusivity(unchecked)
  #endif
  private var unsent: [BufferedSocket] = []
  /// The sockets of the turn that is being sent.
  #if !DEBUG
    @safe @exclusivity(unchecked)
  #endif
  private var due: [BufferedSocket] = []
  private var isSending = false
  // The registry holds the event, and the event holds this object only during its call.
  private let sending: Event

  init(_ registry: EventRegistry, _ nextTurn: NextTurnCalls) {
    nextTurnCalls = nextTurn
    let send = SendTurn()
    sending = Event(in: registry, lifetime: .untilRemoved) { send.body?() }
    sending.prepare()
    send.body = { [unowned self] in sendAll() }
  }

  /// Breaks an initialization cycle: the event's closure needs the object that has the event as a
  /// property.
  private final class SendTurn {
    var body: (() -> Void)?
  }

  /// Keeps a socket alive until ``remove(_:)``.
  func insert(_ socket: any OpenSocket) {
    others[ObjectIdentifier(socket)] = socket
  }

  func remove(_ socket: any OpenSocket) {
    others[ObjectIdentifier(socket)] = nil
  }

  /// As ``insert(_:)``.
  func insert(_ connection: Connection) {
    connections[ObjectIdentifier(connection)] = connection
  }

  func remove(_ connection: Connection) {
    connections[ObjectIdentifier(connection)] = nil
  }

  var count: Int { connections.count + others.count }

  var hasConnectionsWithoutHandlers: Bool { connections.values.contains { $0.hasNoHandlers } }

  /// Connections that only this table refers to and that nothing waits on.
  func droppedConnections() -> [Connection] {
    var dropped: [Connection] = []
    // By key: even a temporary copy of the table would add a reference to each.
    for id in Array(connections.keys) {
      guard let index = connections.index(forKey: id), connections.values[index].isUnattended,
        isKnownUniquelyReferenced(&connections.values[index])
      else { continue }
      dropped.append(connections.values[index])
    }
    return dropped
  }

  /// Closes all listeners.
  ///
  /// - Parameter gracefully: Whether they accept the clients that the kernel has connected.
  func closeListeners(gracefully: Bool) {
    for case let listener as Listener in Array(others.values) {
      if gracefully { listener.shutDown() } else { listener.close() }
    }
  }

  /// Makes a call in the loop's next turn, in order: handlers never run inside the call that caused
  /// them.
  func nextTurn(_ call: @escaping () -> Void) {
    nextTurnCalls.add(call)
  }

  /// Sends a socket's output at the end of this turn, after all writes of the turn: one system call
  /// for everything written, and none to ask whether the socket is writable.
  func sendAtEndOfTurn(_ socket: BufferedSocket) {
    unsent.append(socket)
    guard unsent.count == 1 else { return }
    // Writes during this turn's sending wait for the next turn, as all others do.
    if isSending { sending.add(timeout: .zero) } else { sending.activate() }
  }

  private func sendAll() {
    isSending = true
    defer { isSending = false }
    // Both arrays keep their memory, since a busy loop sends in every turn.
    swap(&unsent, &due)
    for socket in due { socket.send() }
    due.removeAll(keepingCapacity: true)
  }

  /// Closes everything. Waiters are told in the next turn.
  func cutAll() {
    unsent = []
    for connection in Array(connections.values) { connection.loopIsEnding() }
    for socket in Array(others.values) { socket.loopIsEnding() }
  }
}
