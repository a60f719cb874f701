internal import CLibevent
internal import CLibeventExtra
internal import Glibc
public import Reactor

/// An HTTP/1.1 server in an event loop, beside whatever else the loop does.
///
/// ```swift
/// let server = HTTPServer(on: loop) { request, responder in
///   responder.send(.ok, headers: ["Content-Type": "text/plain"], body: "Hello\n".utf8)
/// }
/// let address = try server.listen(host: "127.0.0.1", port: 0)
/// loop.run()
/// ```
///
/// Wraps `evhttp`. Everything here, the handler included, belongs to the loop's thread.
///
/// **What never reaches the handler.** evhttp answers by itself, with a small HTML page and
/// `Connection: close`: 400 to what is not a request of HTTP/1 and to a header over
/// ``Configuration/maximumHeaderByteCount``; 413 to a body over
/// ``Configuration/maximumBodyByteCount``, before the body is sent if the client announces its
/// length; 417 to an `Expect` other than `100-continue`. This class answers 400 to a request whose
/// length can be read in two ways, and 501 to a `Transfer-Encoding` other than `chunked`.
///
/// **Lifetime.** The server must be held as long as it shall run. Its `deinit` closes the
/// listening sockets and then all connections at once; answers in progress are lost, which their
/// handlers are told as when a client vanishes. ``shutDown(_:)`` is the polite way. The end of the
/// loop closes the server in the same way; the server does not keep the loop.
///
/// **SIGPIPE.** libevent's `writev(2)` raises it where the client is gone. It is blocked in the
/// loop's thread while a server of the loop lives: docs/signals.md.
@safe
public final class HTTPServer {
  /// Called with every request, once its body is there. It answers now or later, through the
  /// responder; the loop waits while it runs.
  public typealias Handler = (HTTPRequest, HTTPResponder) -> Void

  @safe
  enum State {
    case open(OpaquePointer)
    case draining(OpaquePointer, whenIdle: [() -> Void])
    case closed
  }

  /// What the server was made with.
  public let configuration: Configuration

  let core: LoopCore
  /// The user's callbacks.
  let deferred: DeferredCalls
  /// What has to come before anything else happens to a connection.
  let urgent: DeferredCalls
  private let handler: Handler
  private(set) var state: State
  private var connections: [OpaquePointer: HTTPConnection] = unsafe [:]
  private var fresh: [HTTPConnection] = []
  private var lingering: [Int32: LingeringSocket] = [:]
  private(set) var gate: AcceptGate
  private var sweep: EventLoop.Timer?
  private var hasEnded = false
  var dateLine = DateLine()

  /// The number of answers that were begun by a request and are not sent yet.
  public private(set) var answersInProgress = 0

  /// The number of open connections, idle ones included.
  public var connectionCount: Int { unsafe connections.count + lingering.count }

  /// Makes a server that does not listen yet. Wraps `evhttp_new`.
  ///
  /// - Parameters:
  ///   - loop: Runs the server.
  ///   - configuration: The limits.
  ///   - handler: Answers each request. Called by the loop, on its thread.
  public init(
    on loop: EventLoop, configuration: Configuration = .init(), handler: @escaping Handler
  ) {
    let core = loop.core
    core.checkThread()
    configuration.check()
    guard let http = unsafe evhttp_new(core.base) else { outOfMemory() }
    core.brokenPipes.hold()
    self.core = core
    self.configuration = configuration
    self.handler = handler
    deferred = DeferredCalls(core, in: .next)
    urgent = DeferredCalls(core, in: .present)
    gate = AcceptGate(core)
    state = unsafe .open(http)
    unsafe evhttp_set_max_headers_size(http, configuration.maximumHeaderByteCount)
    unsafe evhttp_set_max_body_size(http, configuration.maximumBodyByteCount)
    var timeout = timeval(configuration.inactivityTimeout)
    unsafe evhttp_set_timeout_tv(http, &timeout)
    // Without this evhttp calls everything ISO-8859-1 HTML.
    unsafe evhttp_set_default_content_type(http, nil)
    // All 16 bits: bit 15 stands for methods that evhttp does not know.
    unsafe evhttp_set_allowed_methods(http, .max)
    unsafe remember(http, of: self)
    unsafe setCallbacks(of: http, to: self)
    core.dependents.add(self) { [weak self] in self?.end() }
  }

  deinit {
    core.dependents.remove(self)
    end()
  }

  /// Closes everything, and takes it out of the base.
  private func end() {
    guard !hasEnded else { return }
    hasEnded = true
    // Nothing is in progress any more when the rest of this has run.
    if case .draining(_, let whenIdle) = state {
      for call in whenIdle { deferred.add(call) }
    }
    sweep?.cancel()
    closeListeningSockets()
    if let http = unsafe openHTTP { unsafe close(http) }
    for socket in Array(lingering.values) { socket.close() }
    lingering = [:]
    gate.end()
    urgent.handOver()
    deferred.handOver()
    core.brokenPipes.release()
  }

  /// Stops listening, so that new clients are refused; connections go on. Does nothing when the
  /// server does not listen.
  public func stopAccepting() {
    core.checkThread()
    closeListeningSockets()
  }

  private func closeListeningSockets() {
    guard let http = unsafe openHTTP else { return }
    unsafe gate.closeAll(of: http)
  }

  /// Ends the server politely: refuses new clients, sends the answers that are in progress, then
  /// closes all connections, and then calls back.
  ///
  /// From now on answers carry `Connection: close`. A request that is still being received when
  /// the last answer has been sent is cut off.
  ///
  /// - Parameter whenIdle: Called once, by the loop, never from inside this call. The server may
  ///   be released in it. Every call of `shutDown` has its callback called.
  public func shutDown(_ whenIdle: @escaping () -> Void) {
    core.checkThread()
    stopAccepting()
    switch state {
    case .open(let http):
      state = unsafe .draining(http, whenIdle: [whenIdle])
    case .draining(let http, let others):
      state = unsafe .draining(http, whenIdle: others + [whenIdle])
    case .closed:
      deferred.add(whenIdle)
    }
    closeWhenIdle()
  }

  /// Whether ``shutDown(_:)`` was called.
  var isShuttingDown: Bool { if case .open = state { false } else { true } }

  private var openHTTP: OpaquePointer? {
    switch state {
    case .open(let http), .draining(let http, _): unsafe http
    case .closed: nil
    }
  }

  private func closeWhenIdle() {
    guard case .draining(let http, _) = state, answersInProgress == 0 else { return }
    deferred.add { [weak self] in
      // A request may have come in between, or another shutDown been faster.
      guard let self, answersInProgress == 0, case .draining(_, let whenIdle) = state else {
        return
      }
      unsafe close(http)
      for call in whenIdle { call() }
    }
  }

  /// Frees evhttp, which closes each connection and so calls ``connectionClosed(_:)`` for it.
  private func close(_ http: OpaquePointer) {
    // Not left to the calls, which do not reach a server in its `deinit`.
    adoptFreshConnections()
    // What was answered in this turn is sent.
    urgent.makeCalls()
    // First, so that nothing that evhttp reports starts anew.
    state = .closed
    unsafe forget(http)
    unsafe evhttp_free(http)
  }
}

// What evhttp reports; called by the trampolines.
extension HTTPServer {
  /// evhttp accepted a client and asks for its bufferevent. evhttp's own connection object is made
  /// right after this returns, so it is looked up a moment later, before any of its events.
  func connectionAccepted() -> OpaquePointer? {
    guard let stream = unsafe bufferevent_socket_new(core.base, -1, 0) else { return nil }
    let connection = unsafe HTTPConnection(stream, server: self)
    unsafe connections[stream] = connection
    fresh.append(connection)
    if fresh.count == 1 { urgent.add { [weak self] in self?.adoptFreshConnections() } }
    updateGate()
    return unsafe stream
  }

  /// A request is complete.
  func requestReceived(_ request: OpaquePointer) {
    // A request that is handed out has a connection, and the connection the bufferevent that
    // `connectionAccepted` gave it.
    guard let evhttpConnection = unsafe evhttp_request_get_connection(request),
      let stream = unsafe evhttp_connection_get_bufferevent(evhttpConnection),
      let connection = unsafe connections[stream]
    else { preconditionFailure("HTTPServer: a request of an unknown connection") }
    let message = unsafe HTTPRequest(request, evhttpConnection)
    let exchange = unsafe Exchange(request, message, connection, deferred)
    connection.begin(exchange)
    answersInProgress += 1
    let responder = HTTPResponder(exchange)
    if let refusal = Refusal(message) {
      exchange.closesConnection = true
      responder.send(refusal.status, body: refusal.explanation.utf8)
    } else {
      exchange.closesConnection = !message.method.hasReadableBody && message.announcesBody
      handler(message, responder)
    }
  }

  /// The answer of a connection was sent or lost.
  func answerEnded() {
    answersInProgress -= 1
    closeWhenIdle()
  }

  /// evhttp is about to free a connection.
  func connectionClosed(_ connection: HTTPConnection) {
    unsafe connections[connection.stream] = nil
    updateGate()
  }

  /// A connection was closed behind an answer; `socket` is a duplicate of its descriptor, on which
  /// the client may go on to send for a while.
  func linger(on socket: Int32) {
    lingering[socket] = LingeringSocket(socket, core) { [weak self] in
      self?.lingering[socket] = nil
      self?.updateGate()
    }
    updateGate()
  }

  /// Whether accepting rests, since the server is full or `accept` has just failed.
  var isAcceptingAtRest: Bool { !gate.isOpen }

  var isClosed: Bool { if case .closed = state { true } else { false } }

  /// `accept` failed, most likely since all descriptors are in use.
  func acceptFailed() {
    gate.pause()
  }

  /// A request or an answer is on its way: somebody has to look whether that takes too long.
  func watchPace() {
    guard sweep == nil else { return }
    sweep = core.loop.schedule(after: Self.sweepInterval) { [weak self] in self?.cutSlowClients() }
  }

  /// How exact the time of a request or an answer is, which counts from the first look at it to the
  /// last. While none is on its way, nothing is looked at.
  private static var sweepInterval: Duration { .seconds(1) }

  private func cutSlowClients() {
    sweep = nil
    let now = ContinuousClock.now
    let busy = unsafe connections.values.filter(\.isMovingBytes)
    for connection in busy where connection.isTooSlow(now) { connection.cutLater() }
    if !busy.isEmpty { watchPace() }
  }

  private func updateGate() {
    gate.isFull = connectionCount >= configuration.connectionLimit
  }

  private func adoptFreshConnections() {
    let arrived = fresh
    fresh = []
    for connection in arrived { connection.adopt() }
  }
}
