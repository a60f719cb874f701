internal import PosixAIO
public import Reactor
public import SystemPackage

/// An HTTP/1.1 server in an event loop, beside whatever else the loop does.
///
/// ```swift
/// let server = HTTPServer(on: loop) { request, response in
///   response.send(.ok, headers: ["Content-Type": "text/plain"], body: "Hello\n".utf8)
/// }
/// let address = try server.listen(host: "127.0.0.1", port: 0)
/// loop.run()
/// ```
///
/// Everything here, the handler included, belongs to the loop's thread.
///
/// **What never reaches the handler.** The server itself refuses what is no request of HTTP/1.0 or
/// 1.1, to the letter of RFC 9112, with 400, 414, 417, 431, 501 or 505; a body that is announced
/// larger than ``Configuration/bodyByteLimit`` with 413; and a request that takes too long to
/// arrive with 408. Each of these closes its connection, and is told to ``onResponseEnd`` as any
/// other.
///
/// **Lifetime.** The server must be held as long as it shall run. Its `deinit` closes the listeners
/// and then all connections at once; responses in progress are lost, which their handlers are told
/// as when a client vanishes. ``shutDown(_:)`` is the polite way. The end of the loop closes the
/// server in the same way; the server does not keep the loop.
public final class HTTPServer {
  /// Called with every request, once its head is there. It responds now or later, through the
  /// writer; the loop waits while it runs.
  public typealias Handler = (Request, ResponseWriter) -> Void

  private enum State {
    case open
    case draining(whenIdle: [() -> Void])
    case closed
  }

  /// What the server was made with.
  public let configuration: Configuration

  /// Told of each response when it is out, or its connection has ended: those of the server itself
  /// included, which no handler sees. Called by the loop, never from inside a call of a handler.
  public var onResponseEnd: ((ResponseRecord) -> Void)? {
    get { responseEndHandler }
    set {
      _ = responseEndHandler.exchange(for: newValue)
    }
  }
  private var responseEndHandler: ((ResponseRecord) -> Void)?

  /// Told when the kernel would not accept a client, most likely `EMFILE`: too many open files.
  /// Accepting goes on a little later.
  public var onAcceptError: ((SocketError) -> Void)? {
    get { acceptErrorHandler }
    set {
      _ = acceptErrorHandler.exchange(for: newValue)
    }
  }
  private var acceptErrorHandler: ((SocketError) -> Void)?

  let core: LoopCore
  private let handler: Handler
  private var state = State.open
  private var listeners: [Listener] = []
  private var connections: [ObjectIdentifier: ServerConnection] = [:]
  /// Looks at the connections once in a while.
  let looks: RecurringLook
  let heads = HeadMemory()

  /// The number of responses that were begun by a request and are not sent yet.
  public private(set) var responsesInProgress = 0

  /// The number of open connections, idle ones included.
  public var connectionCount: Int { connections.count }

  /// Makes a server that does not listen yet.
  ///
  /// - Parameters:
  ///   - loop: Runs the server.
  ///   - configuration: The limits; those that are out of their range trap.
  ///   - handler: Responds to each request. Called by the loop, on its thread.
  public init(
    on loop: EventLoop, configuration: Configuration = .init(), handler: @escaping Handler
  ) {
    core = loop.core
    core.checkThread()
    configuration.check()
    self.configuration = configuration
    self.handler = handler
    // How exact the times of clients are.
    looks = RecurringLook(on: core, interval: min(.seconds(1), configuration.shortestTimeout / 2))
    looks.body = { [weak self] in self?.lookAtAll() }
    core.dependents.add(self) { [weak self] in self?.end() }
  }

  /// Makes a server whose handler is asynchronous.
  ///
  /// - Parameters:
  ///   - loop: Runs the server.
  ///   - configuration: The limits; those that are out of their range trap.
  ///   - asyncHandler: Responds to each request. Runs in a task of its own on the loop's thread,
  ///     which is cancelled when the connection ends before the response is out.
  public convenience init(
    on loop: EventLoop, configuration: Configuration = .init(),
    asyncHandler: nonisolated(nonsending) @escaping (Request, ResponseWriter) async -> Void
  ) {
    let core = loop.core
    self.init(on: loop, configuration: configuration) { request, response in
      let task = core.loop.startTask { await asyncHandler(request, response) }
      response.onConnectionLost { task.cancel() }
    }
  }

  deinit {
    core.dependents.remove(self)
    end()
    for connection in takeConnections() { connection.serverIsGoing() }
  }

  // MARK: - Listening

  /// Listens on an address, and starts to accept.
  ///
  /// - Parameter address: One of this machine's, or all of them; port 0 takes a free one. A Unix
  ///   address too.
  /// - Returns: The address in use, with the real port.
  /// - Throws: What `socket(2)`, `bind(2)` or `listen(2)` gives, most often `EADDRINUSE`;
  ///   `ECANCELED` when the loop is ending. Nothing was started. May be called several times, for
  ///   several addresses.
  ///
  /// Traps after ``shutDown(_:)``.
  @discardableResult
  public func listen(on address: SocketAddress) throws(Errno) -> SocketAddress {
    core.checkThread()
    guard !core.isEnding else { throw .canceled }
    guard case .open = state else {
      trap("HTTPServer: listen was called after shutDown")
    }
    let listener = try Listener(
      on: core.loop, address, configuration: configuration.listener)
    listeners.append(listener)
    listener.onError = { [weak self] error in self?.onAcceptError?(error) }
    listener.onConnection = { [weak self] connection in self?.accepted(connection) }
    updateListeners()
    return listener.address
  }

  /// Stops listening, so that new clients are refused; connections go on. Does nothing when the
  /// server does not listen.
  public func stopAccepting() {
    if !core.hasEnded { core.checkThread() }
    closeListeners()
  }

  private func closeListeners() {
    let closing = listeners
    listeners = []
    for listener in closing { listener.close() }
  }

  /// Further clients wait while there are as many connections as there may be.
  private func updateListeners() {
    let isFull = connections.count >= configuration.connectionLimit
    for listener in listeners where listener.isPaused != isFull {
      if isFull { listener.pause() } else { listener.resume() }
    }
  }

  private func accepted(_ connection: Connection) {
    connections[ObjectIdentifier(connection)] = ServerConnection(connection, self)
    updateListeners()
    looks.wantSoon()
  }

  /// - Parameter connection: What the server connection stands for.
  func connectionClosed(_ connection: Connection) {
    connections[ObjectIdentifier(connection)] = nil
    updateListeners()
    if connections.isEmpty { looks.stop() }
  }

  // MARK: - Requests

  /// Hands a request to the handler.
  func begin(_ exchange: Exchange) {
    guard let request = exchange.request else { return }
    responsesInProgress += 1
    handler(request, ResponseWriter(exchange))
  }

  /// Responds to what no handler gets, and has the connection closed.
  func refuse(_ exchange: Exchange, _ error: RequestError) {
    responsesInProgress += 1
    exchange.send(
      error.status, ["Content-Type": "text/plain; charset=utf-8", "Connection": "close"],
      "\(error.explanation)\n".utf8)
  }

  /// A response was sent or lost.
  func responseEnded(_ exchange: Exchange) {
    responsesInProgress -= 1
    onResponseEnd?(
      ResponseRecord(
        request: exchange.request, refusedLine: exchange.refusedLine,
        peerAddress: exchange.peerAddress, outcome: exchange.outcome))
    closeWhenIdle()
  }

  // MARK: - Pace

  /// Whether connections will be looked at.
  var isWatching: Bool { looks.isDue }

  /// Looks whether clients take too long.
  ///
  /// - Returns: When the next look makes sense; nil is never.
  private func lookAtAll() -> ContinuousClock.Instant? {
    let now = ContinuousClock.now
    var next: ContinuousClock.Instant?
    for connection in Array(connections.values) {
      guard let due = connection.look(now) else { continue }
      next = min(next ?? due, due)
    }
    return next
  }

  // MARK: - The end

  /// Ends the server politely: refuses new clients, sends the responses that are in progress, then
  /// closes all connections, and then calls back.
  ///
  /// From now on responses carry `Connection: close`. A request that is still being received when
  /// the last response has been sent is cut off.
  ///
  /// - Parameter whenIdle: Called once, by the loop, never from inside this call; after the loop's
  ///   end before this returns. The server may be released in it. Every call of `shutDown` has its
  ///   callback called.
  public func shutDown(_ whenIdle: @escaping () -> Void) {
    if !core.hasEnded { core.checkThread() }
    closeListeners()
    switch state {
    case .open: state = .draining(whenIdle: [whenIdle])
    case .draining(let others): state = .draining(whenIdle: others + [whenIdle])
    case .closed:
      core.complete(whenIdle)
    }
    closeWhenIdle()
  }

  /// Whether ``shutDown(_:)`` was called.
  var isShuttingDown: Bool { if case .open = state { false } else { true } }

  var isClosed: Bool { if case .closed = state { true } else { false } }

  private func closeWhenIdle() {
    guard case .draining = state, responsesInProgress == 0 else { return }
    core.callNextTurn { [weak self] in
      // A request may have come in between, or another shutDown been faster.
      guard let self, responsesInProgress == 0, case .draining(let whenIdle) = state else {
        return
      }
      state = .closed
      for connection in takeConnections() { connection.serverHasEnded() }
      for call in whenIdle { call() }
    }
  }

  /// Closes everything. Whoever is there to be told of what is lost with that will be.
  private func end() {
    looks.stop()
    closeListeners()
    let former = state
    state = .closed
    // Nothing is in progress any more when the rest of this has run.
    if case .draining(let whenIdle) = former {
      for call in whenIdle { core.complete(call) }
    }
    for connection in Array(connections.values) { connection.abort() }
  }

  private func takeConnections() -> [ServerConnection] {
    let taken = Array(connections.values)
    connections = [:]
    return taken
  }
}
