/// What is open in a loop, kept alive by it, and ends with it.
package protocol OpenSocket: AnyObject {
  /// The loop ends: close now, and tell those who wait in the next turn.
  func loopIsEnding()
}

/// A loop's connections, listeners and connection attempts.
@safe
final class OpenSockets {
  private var connections: [ObjectIdentifier: Connection] = [:]
  /// The listeners and the attempts.
  private var others: [ObjectIdentifier: any OpenSocket] = [:]
  var dropSearch = DropSearch()
  private let nextTurn: NextTurnCalls
  let blocks = SocketStream.Blocks()

  /// Streams that have something to send.
  #if !DEBUG
    @safe @exclusivity(unchecked)
  #endif
  private var unsent: [SocketStream] = []
  /// Those of the turn that is being sent.
  #if !DEBUG
    @safe @exclusivity(unchecked)
  #endif
  private var due: [SocketStream] = []
  private var isSending = false
  // The registry holds it, and it holds this object only while it is called.
  private let sending: Event

  init(_ registry: EventRegistry, _ nextTurn: NextTurnCalls) {
    self.nextTurn = nextTurn
    let send = SendTurn()
    sending = Event(in: registry, lifetime: .untilRemoved) { send.body?() }
    sending.prepare()
    send.body = { [unowned self] in sendAll() }
  }

  /// Breaks the circle of a property whose closure needs the object that it is a property of.
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

  /// The connections that nothing refers to but this table, and that nothing will be done about.
  func droppedConnections() -> [Connection] {
    var dropped: [Connection] = []
    // By their keys: a copy of the table, also one for a moment, would refer to all of them.
    for id in Array(connections.keys) {
      guard let index = connections.index(forKey: id), connections.values[index].isUnattended,
        isKnownUniquelyReferenced(&connections.values[index])
      else { continue }
      dropped.append(connections.values[index])
    }
    return dropped
  }

  /// Takes in no further clients.
  func closeListeners() {
    for socket in Array(others.values) { (socket as? Listener)?.close() }
  }

  /// Has the loop make a call in its next turn, in order: handlers never run from inside the call
  /// that caused them.
  func callLater(_ call: @escaping () -> Void) {
    nextTurn.add(call)
  }

  /// Has a stream send what it holds at the end of this turn, when everybody has written to it: one
  /// system call for all that was written, and none to ask whether the socket takes it.
  func sendLater(_ stream: SocketStream) {
    unsent.append(stream)
    guard unsent.count == 1 else { return }
    // Whoever writes when a send has ended, waits for the next turn, as the others do.
    if isSending { sending.add(timeout: .zero) } else { sending.activate() }
  }

  private func sendAll() {
    isSending = true
    defer { isSending = false }
    // Both keep their memory: there is something to send in each turn of a busy loop.
    swap(&unsent, &due)
    for stream in due { stream.send() }
    due.removeAll(keepingCapacity: true)
  }

  /// Closes what is open. Whoever waits for it is told in the next turn.
  func cutAll() {
    unsent = []
    for connection in Array(connections.values) { connection.loopIsEnding() }
    for socket in Array(others.values) { socket.loopIsEnding() }
  }
}
