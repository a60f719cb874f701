/// What is open in a loop, kept alive by it, and goes with it.
protocol OpenSocket: AnyObject {
  /// The loop goes: give everything back, call nobody.
  func loopIsGoing()
}

/// A loop's connections, listeners and connects in progress, and the calls that it owes them.
@safe
final class OpenSockets {
  private var sockets: [ObjectIdentifier: any OpenSocket] = [:]
  private var calls: [DueCall] = []
  private let registry: EventRegistry
  let blocks = SocketStream.Blocks()

  /// Streams that have something to send.
  private var unsent: [SocketStream] = []
  private var isSending = false
  // The registry holds it, and it holds this object only while it is called.
  private let sending: Event

  private lazy var turn = Event(in: registry, descriptor: -1, flags: 0) { [unowned self] in
    let due = calls
    calls = []
    for call in due { call.body() }
  }

  init(_ registry: EventRegistry) {
    self.registry = registry
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
    sockets[ObjectIdentifier(socket)] = socket
  }

  func remove(_ socket: any OpenSocket) {
    sockets[ObjectIdentifier(socket)] = nil
  }

  var isEmpty: Bool { sockets.isEmpty }

  /// Takes in no further clients.
  func closeListeners() {
    for socket in sockets.values { (socket as? Listener)?.close() }
  }

  /// Has the loop make a call in its next turn, in order: handlers never run from inside the call
  /// that caused them.
  ///
  /// By a zero timer, since libevent runs what is activated within the same turn: two connections
  /// that keep each other busy would keep timers from theirs.
  func callLater(_ call: @escaping () -> Void) {
    calls.append(DueCall(body: call))
    if calls.count == 1 { turn.add(timeout: .zero) }
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
    let due = unsent
    unsent = []
    for stream in due { stream.send() }
  }

  /// Gives back what is open, and drops the calls.
  func close() {
    calls = []
    unsent = []
    let open = sockets.values
    sockets = [:]
    for socket in open { socket.loopIsGoing() }
  }
}
