internal import PosixAIO
public import Reactor
public import SystemPackage

/// An HTTP/1.1 server on an event loop, next to the other work of the loop.
///
/// ```swift
/// let server = HTTPServer(on: loop) { request, response in
///   response.send(.ok, headers: ["Content-Type": "text/plain"], body: "Hello\n".utf8)
/// }
/// let address = try server.listen(host: "127.0.0.1", port: 0)
/// loop.run()
/// ```
///
/// All members, and the handler, belong to the thread of the loop.
///
/// **Requests without a handler.** The server itself refuses some requests. It enforces RFC 9112
/// strictly: input that is not a request of HTTP/1.0 or 1.1 gets 400, 414, 417, 431, 501 or 505. A
/// body whose announced length exceeds ``Configuration/bodyByteLimit`` gets 413, and a request that
/// takes too long to arrive gets 408. Each refusal closes its connection, and is reported to
/// ``onResponseEnd`` like any other response.
///
/// **Lifetime.** Keep a reference to the server while it should run. Its `deinit` closes the
/// listeners and all connections immediately. Responses in progress are lost; their handlers are
/// notified as if the client had left. Use ``shutDown(_:)`` for a graceful shutdown. The end of the
/// loop closes the server in the same way as `deinit`. The server does not keep the loop alive.
public final class HTTPServer {
  /// Handles a request. The server calls it when the head has arrived. The handler responds through
  /// the writer, immediately or later; the loop waits while the handler runs.
  public typealias Handler = (Request, ResponseWriter) -> Void

  private enum State {
    case open
    case draining(whenIdle: [() -> Void])
    case closed
  }

  /// The configuration of the server.
  public let configuration: Configuration

  /// Called for each response when it is sent or its connection has ended, including the responses
  /// that the server sends without the handler. The loop calls it, never from inside a call of a
  /// handler.
  public var onResponseEnd: ((ResponseRecord) -> Void)? {
    get { responseEndHandler }
    set {
      _ = responseEndHandler.exchange(for: newValue)
    }
  }
  private var responseEndHandler: ((ResponseRecord) -> Void)?

  /// Called when the kernel fails to accept a client, most often with `EMFILE`, too many open
  /// files. The server tries again a little later.
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
  private var addresses: AddressCounts
  /// Checks the connections periodically.
  let looks: RecurringLook
  let heads: HeadMemory

  /// The number of requests whose response is not fully sent.
  public private(set) var responsesInProgress = 0

  /// The number of open connections, including idle ones.
  public var connectionCount: Int { connections.count }

  /// The number of connections that were closed at once, because their address had as many as
  /// ``Configuration/connectionLimitPerAddress``.
  public var refusedConnectionCount: UInt64 { addresses.refusedCount }

  /// Creates a server that does not listen yet.
  ///
  /// - Parameters:
  ///   - loop: The loop to use; call on its thread.
  ///   - configuration: The limits; a value out of range traps.
  ///   - handler: Responds to each request. The loop calls it on its thread.
  public init(
    on loop: EventLoop, configuration: Configuration = .init(), handler: @escaping Handler
  ) {
    core = loop.core
    core.checkThread()
    configuration.check()
    self.configuration = configuration
    self.handler = handler
    heads = HeadMemory(configuration.responseHeaders)
    addresses = AddressCounts(configuration)
    // The precision of the time limits for clients.
    looks = RecurringLook(on: core, interval: min(.seconds(1), configuration.shortestTimeout / 2))
    looks.body = { [weak self] in self?.lookAtAll() }
    core.dependents.add(self) { [weak self] in self?.end() }
  }

  /// Creates a server with an asynchronous handler.
  ///
  /// - Parameters:
  ///   - loop: The loop to use; call on its thread.
  ///   - configuration: The limits; a value out of range traps.
  ///   - asyncHandler: Responds to each request. Each call runs in its own task on the thread of
  ///     the loop. The task is cancelled if the connection ends before the response is sent.
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

  /// Listens on an address, and starts to accept clients. Call it several times to listen on
  /// several addresses.
  ///
  /// - Parameter address: An address of this machine, the wildcard address, or a Unix address. Port
  ///   0 picks a free port.
  /// - Returns: The address in use, with the actual port.
  /// - Throws: The error of `socket(2)`, `bind(2)` or `listen(2)`, most often `EADDRINUSE`;
  ///   `ECANCELED` if the loop is ending. Nothing was started.
  ///
  /// Traps after ``shutDown(_:)``.
  @discardableResult
  public func listen(on address: SocketAddress) throws(Errno) -> SocketAddress {
    try core.checkUse()
    guard !core.isEnding else { throw .canceled }
    guard case .open = state else {
      trap("HTTPServer: listen must come before shutDown")
    }
    let listener = try Listener(
      on: core.loop, address, configuration: configuration.listener)
    listeners.append(listener)
    listener.onError = { [weak self] error in self?.onAcceptError?(error) }
    listener.onConnection = { [weak self] connection in
      if let self, !isClosed { accepted(connection) } else { connection.abort() }
    }
    updateListeners()
    return listener.address
  }

  /// Stops listening, so new clients are refused. Open connections go on, and so do clients that
  /// the kernel has connected before; see `Listener.shutDown()` of `Reactor`. Does nothing if the
  /// server does not listen.
  public func stopAccepting() {
    if !core.hasEnded { core.checkThread() }
    shutDownListeners()
  }

  private func shutDownListeners() {
    let closing = listeners
    listeners = []
    var room = configuration.connectionLimit - connections.count
    for listener in closing { room -= listener.shutDown(acceptingAtMost: max(0, room)) }
  }

  private func closeListeners() {
    let closing = listeners
    listeners = []
    for listener in closing { listener.close() }
  }

  /// Pauses the listeners while the number of connections is at its limit.
  private func updateListeners() {
    let isFull = connections.count >= configuration.connectionLimit
    for listener in listeners where listener.isPaused != isFull {
      if isFull { listener.pause() } else { listener.resume() }
    }
  }

  private func accepted(_ connection: Connection) {
    guard addresses.add(connection.peerAddress) else { return connection.abort() }
    connections[ObjectIdentifier(connection)] = ServerConnection(connection, self)
    updateListeners()
    looks.wantSoon()
    // Its request may be complete. Reading it now makes it one that is in progress.
    if isShuttingDown { connection.receiveNow() }
  }

  /// - Parameter connection: The connection that the server connection wraps.
  func connectionClosed(_ connection: Connection) {
    connections[ObjectIdentifier(connection)] = nil
    addresses.remove(connection.peerAddress)
    updateListeners()
    if connections.isEmpty { looks.stop() }
  }

  // MARK: - Requests

  /// Calls the handler with a request.
  func begin(_ exchange: Exchange) {
    guard let request = exchange.request else { return }
    responsesInProgress += 1
    handler(request, ResponseWriter(exchange))
  }

  /// Sends the response to a request that the handler does not get, and closes the connection.
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

  /// Whether a check of the connections is scheduled.
  var isWatching: Bool { looks.isDue }

  /// Checks all clients against their time limits.
  ///
  /// - Returns: When the next check is due; nil if none is needed.
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

  /// Shuts the server down gracefully: refuses new clients, sends the responses in progress, closes
  /// all connections, and then calls `whenIdle`.
  ///
  /// Clients that the kernel has connected, but the server has not accepted, get the responses to
  /// the requests that they have sent; see `Listener.shutDown()` of `Reactor`. From now on,
  /// responses carry `Connection: close`. A request that is still arriving when the last response
  /// has been sent is cut off.
  ///
  /// - Parameter whenIdle: Called once for each call of `shutDown`, by the loop and never from
  ///   inside this call; after the end of the loop, it is called before this method returns. It may
  ///   release the server.
  public func shutDown(_ whenIdle: @escaping () -> Void) {
    if !core.hasEnded { core.checkThread() }
    shutDownListeners()
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
      // A request may have arrived in the meantime, or another `shutDown` may have finished first.
      guard let self, responsesInProgress == 0, case .draining(let whenIdle) = state else {
        return
      }
      state = .closed
      for connection in takeConnections() { connection.serverHasEnded() }
      for call in whenIdle { call() }
    }
  }

  /// Closes everything. Handlers whose responses are lost are notified.
  private func end() {
    looks.stop()
    closeListeners()
    let former = state
    state = .closed
    // When the rest of this method has run, nothing is in progress any more.
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
