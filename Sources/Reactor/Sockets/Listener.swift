internal import CLibevent
internal import Glibc
internal import PosixAIO
public import SystemPackage

/// Accepts clients on an address, over TCP or a Unix socket. Wraps `listen(2)` and `accept4(2)`.
///
/// ```swift
/// let listener = try Listener(on: loop, .loopback(port: 0))
/// listener.onConnection = { connection in … }
/// print("listening on \(listener.address)")
/// ```
///
/// It listens until ``shutDown()``, ``close()`` or the end of its loop, even if you drop every
/// reference. Its connections stay open after it closes.
@safe
public final class Listener: @unchecked Sendable {
  /// The configuration of a listener.
  public struct Configuration: Sendable {
    /// The most clients that wait in the kernel's queue, as in `listen(2)`; the kernel's
    /// `somaxconn` limits it too. 1 or more; the default is 128.
    public var backlog = 128

    /// The most open connections of this listener. At this limit accepting pauses, and further
    /// clients wait in the kernel's queue until a connection closes. 1 or more; the default is
    /// 10,000.
    public var connectionLimit = 10_000

    /// Whether the port of a listener that closed recently can be reused at once (`SO_REUSEADDR`).
    /// The default is true.
    public var reusesAddress = true

    /// Whether several listeners, for example of several loops, share the port; the kernel
    /// distributes the clients (`SO_REUSEPORT`). Each of them must set it. The default is false.
    public var reusesPort = false

    /// Whether listening fails with `EADDRINUSE` if others already share the port. Set it for the
    /// first listener of a group with ``reusesPort``, or another program of the same user that also
    /// shares its port gets a part of the clients. The default is false.
    public var requiresFreePort = false

    /// Whether a listener on an IPv6 address refuses IPv4 (`IPV6_V6ONLY`). Nil, the default, leaves
    /// the choice to the system.
    public var isIPv6Only: Bool?

    /// How long accepting pauses after an error. Without the pause, a process out of descriptors
    /// would get the same waiting client's error again and again. More than 0; the default is 100
    /// ms.
    public var retryDelay = Duration.milliseconds(100)

    /// The configuration of accepted connections.
    public var connection = Connection.Configuration()

    /// Creates the default configuration.
    public init() {}

    func check() {
      require(
        backlog > 0 && connectionLimit > 0,
        "Listener.Configuration: backlog and connectionLimit must be 1 or more")
      require(retryDelay > .zero, "Listener.Configuration: retryDelay must be more than 0")
      connection.check()
    }
  }

  /// The most clients accepted in one turn of the loop, so that many at once do not delay
  /// everything else. Clients lost before they were accepted count too.
  static let acceptsPerTurn = 64

  private enum State {
    case open
    /// Paused after an error until the timer fires.
    case failed(EventLoop.Timer)
    /// Closed, with accepted clients that the handler gets in the next turn.
    case handingOver
    case closed
  }

  let core: LoopCore

  /// The loop that runs it.
  public var loop: EventLoop { core.loop }

  /// The bound address, with the actual port.
  public let address: SocketAddress

  /// The configuration that the listener was created with.
  public let configuration: Configuration

  /// The number of accepted connections that are not closed.
  public var connectionCount: Int {
    core.checkAccess()
    return openCount
  }
  private var openCount = 0

  /// Whether ``pause()`` was called.
  public var isPaused: Bool {
    core.checkAccess()
    return isResting
  }
  private var isResting = false

  /// Called with each accepted client. Until you set it, clients wait in the kernel's queue. A
  /// handler that you set after the listener was closed is dropped, and so is ``onError``. Setting
  /// it while a task takes the clients traps; see ``connections``.
  public var onConnection: ((Connection) -> Void)? {
    get {
      core.checkAccess()
      return onConnectionHandler
    }
    set {
      guard isOpen || newValue == nil, !core.hasEnded else { return }
      require(
        newValue == nil || onEnd == nil,
        "Listener: clients go either to onConnection or to one task")
      _ = onConnectionHandler.exchange(for: newValue)
      update()
    }
  }
  private var onConnectionHandler: ((Connection) -> Void)?

  /// Called when accepting fails, most likely with `EMFILE`: too many open files. Accepting
  /// continues after ``Configuration/retryDelay``.
  public var onError: ((SocketError) -> Void)? {
    get {
      core.checkAccess()
      return onErrorHandler
    }
    set {
      guard isOpen || newValue == nil, !core.hasEnded else { return }
      _ = onErrorHandler.exchange(for: newValue)
    }
  }
  private var onErrorHandler: ((SocketError) -> Void)?

  private let socket: Int32
  private let sockets: OpenSockets
  private let file: SocketFile?
  /// Nil after closing.
  private var readable: Event?
  private var state = State.open
  private var isAccepting = false
  private var acceptsThisTurn = 0

  /// Listens on an address. Clients are accepted once ``onConnection`` is set. Wraps `socket(2)`,
  /// `bind(2)` and `listen(2)`.
  ///
  /// - Parameters:
  ///   - loop: The loop to use. Call on its thread.
  ///   - address: One address of this machine, or all of them. Port 0 picks a free port.
  ///   - configuration: The limits. Values out of range trap.
  /// - Throws: An error of `socket(2)`, `bind(2)` or `listen(2)`, most often `EADDRINUSE`,
  ///   `EADDRNOTAVAIL` or `EACCES`; `ECANCELED` when the loop is ending. Nothing was started then.
  public init(
    on loop: EventLoop, _ address: SocketAddress, configuration: Configuration = Configuration()
  ) throws(Errno) {
    try loop.core.checkSockets()
    configuration.check()
    socket = try SocketCalls.listen(on: address, configuration.socketOptions)
    core = loop.core
    self.configuration = configuration
    sockets = loop.core.sockets
    do throws(Errno) {
      self.address = try SocketCalls.localAddress(of: socket)
    } catch {
      trap("Listener: a bound socket has no address: \(error)")
    }
    file = address.path.flatMap { SocketFile($0) }
    readable = Event(
      in: core.registry, descriptor: socket, flags: EV_READ | EV_PERSIST, lifetime: .untilRemoved
    ) { [unowned self] in acceptWaiting() }
    sockets.insert(self)
  }

  deinit { tearDown() }

  /// Stops accepting; clients wait in the kernel's queue.
  public func pause() {
    guard isOpen else { return }
    core.checkThread()
    isResting = true
    update()
  }

  /// Continues accepting after ``pause()``.
  public func resume() {
    guard isOpen else { return }
    core.checkThread()
    isResting = false
    update()
  }

  /// Stops listening at once, and removes the file of a Unix address if it is still this
  /// listener's. Clients in the kernel's queue are reset, although they are connected and may have
  /// sent requests; to serve them, use ``shutDown()``. Accepted connections stay open. A second
  /// call does nothing. Wraps `close(2)`.
  public func close() {
    guard !core.hasEnded else { return }
    core.checkThread()
    guard isListening else { return }
    sockets.remove(self)
    tearDown()
    ended()
  }

  /// Whether the listener is open.
  public var isOpen: Bool {
    core.checkAccess()
    return isListening
  }

  private var isListening: Bool {
    switch state {
    case .open, .failed: true
    case .handingOver, .closed: false
    }
  }

  /// Whether it is closed and no more clients will come.
  var isOver: Bool { if case .closed = state { true } else { false } }

  /// Called when the listener closes, for the task that waits for clients.
  var onEnd: (() -> Void)?

  /// Whether the task that takes the clients has room for more.
  var hasRoom = true {
    didSet { if hasRoom != oldValue { update() } }
  }

  private func ended() {
    onConnection = nil
    onError = nil
    let handler = onEnd
    onEnd = nil
    handler?()
  }

  private func tearDown(_ next: State = .closed) {
    guard isListening else { return }
    if case .failed(let timer) = state { timer.cancel() }
    state = next
    // Removed before closing, since another socket may get the descriptor afterwards.
    readable?.remove()
    readable = nil
    isAccepting = false
    SocketCalls.close(socket)
    file?.remove()
  }

  /// Starts or pauses accepting according to the state and the limits.
  private func update() {
    guard case .open = state else { return setAccepting(false) }
    setAccepting(
      onConnectionHandler != nil && !isResting && hasRoom
        && openCount < configuration.connectionLimit
        && acceptsThisTurn < Self.acceptsPerTurn)
  }

  private func setAccepting(_ accepts: Bool) {
    guard accepts != isAccepting, let readable else { return }
    isAccepting = accepts
    if accepts { readable.add() } else { readable.pause() }
  }

  /// Accepts waiting clients until accepting pauses. The handler may pause or close the listener.
  private func acceptWaiting() {
    while isAccepting {
      do throws(Errno) {
        let (client, peerAddress) = try SocketCalls.accept(from: socket)
        accepted(client, peerAddress)
      } catch .wouldBlock {
        return
      } catch {
        guard SocketCalls.isOfOneClient(error) else { return failed(error) }
        countAccept()
        update()
      }
    }
  }

  private func accepted(_ client: Int32, _ peerAddress: SocketAddress?) {
    let connection = makeConnection(client, peerAddress)
    countAccept()
    update()
    onConnectionHandler?(connection)
  }

  private func makeConnection(_ client: Int32, _ peerAddress: SocketAddress?) -> Connection {
    openCount += 1
    // On Linux an accepted socket inherits its options from the listening one.
    return Connection(
      client, peerAddress: peerAddress ?? SocketAddress(.unnamed), on: core,
      configuration.connection, listener: self)
  }

  private func countAccept() {
    acceptsThisTurn += 1
    guard acceptsThisTurn == 1 else { return }
    sockets.nextTurn { [self] in
      acceptsThisTurn = 0
      update()
    }
  }

  func connectionClosed() {
    openCount -= 1
    update()
  }

  private func failed(_ errno: Errno) {
    guard case .open = state else { return }
    let timer = core.schedule(after: configuration.retryDelay) { [self] in
      guard case .failed = state else { return }
      state = .open
      update()
    }
    state = .failed(timer)
    update()
    onError?(SocketError(.accept, "\(address)", errno))
  }

  // MARK: - The graceful end

  /// Accepts the clients that the kernel has connected, and stops listening.
  ///
  /// ``onConnection`` gets these clients in the loop's next turn, and ``connections`` ends after
  /// them. There are at most one more than ``Configuration/backlog``. A listener that is paused or
  /// has no handler yet accepts none, and ``Configuration/connectionLimit`` holds. Clients that are
  /// not accepted are reset, and so is one that connects in the instant before the socket closes.
  /// The file of a Unix address is removed first, so no client of it is lost in this way.
  ///
  /// Does nothing after ``close()`` or a first call. Wraps `accept4(2)`, until it would wait, and
  /// `close(2)`.
  public func shutDown() {
    shutDown(acceptingAtMost: .max)
  }

  /// - Returns: The number of accepted clients.
  @discardableResult
  package func shutDown(acceptingAtMost limit: Int) -> Int {
    guard !core.hasEnded else { return 0 }
    core.checkThread()
    guard isListening else { return 0 }
    file?.remove()
    let (clients, failure) = acceptRemaining(atMost: limit)
    sockets.remove(self)
    tearDown(.handingOver)
    sockets.nextTurn { [self] in
      if let failure { onErrorHandler?(SocketError(.accept, "\(address)", failure)) }
      // The end of the loop may have closed them.
      for client in clients where client.isInUse {
        if let handler = onConnectionHandler { handler(client) } else { client.abort() }
      }
      state = .closed
      ended()
    }
    return clients.count
  }

  private func acceptRemaining(atMost limit: Int) -> (clients: [Connection], failure: Errno?) {
    guard onConnectionHandler != nil, !isResting else { return ([], nil) }
    let limit = min(limit, configuration.connectionLimit - openCount)
    var clients: [Connection] = []
    var lostCount = 0
    while clients.count < limit, clients.count + lostCount <= configuration.backlog {
      do throws(Errno) {
        let (client, peerAddress) = try SocketCalls.accept(from: socket)
        clients.append(makeConnection(client, peerAddress))
      } catch .wouldBlock {
        break
      } catch {
        guard SocketCalls.isOfOneClient(error) else { return (clients, error) }
        lostCount += 1
      }
    }
    return (clients, nil)
  }
}

extension Listener: OpenSocket {
  package func loopIsEnding() {
    close()
  }
}

extension Listener.Configuration {
  fileprivate var socketOptions: SocketCalls.ListenOptions {
    var options = SocketCalls.ListenOptions()
    options.backlog = backlog
    options.reusesAddress = reusesAddress
    options.reusesPort = reusesPort
    options.requiresFreePort = requiresFreePort
    options.isIPv6Only = isIPv6Only
    options.tcp = connection.tcp
    return options
  }
}
