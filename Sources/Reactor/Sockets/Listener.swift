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
/// It listens, kept or not, until ``close()`` or the end of its loop, which closes it. Its
/// connections outlive it.
@safe
public final class Listener: @unchecked Sendable {
  /// The limits and choices of a listener.
  public struct Configuration: Sendable {
    /// The clients that the kernel holds until they are accepted, as in `listen(2)`; the kernel's
    /// `somaxconn` bounds it too. 1 or more; 128 unless set.
    public var backlog = 128

    /// The connections of this listener that may be open at a time. At so many accepting rests, and
    /// further clients wait in the kernel's queue until one closes. 1 or more; 10,000 unless set.
    public var connectionLimit = 10_000

    /// Whether the port of a listener that has just gone can be taken at once (`SO_REUSEADDR`).
    /// True unless set.
    public var reusesAddress = true

    /// Whether several listeners, of several loops, may share the port; the kernel spreads clients
    /// over them (`SO_REUSEPORT`). Each of them must ask for it. False unless set.
    public var reusesPort = false

    /// Whether a listener on an IPv6 address leaves IPv4 alone (`IPV6_V6ONLY`). Nil, the value
    /// unless set, is the system's choice.
    public var isIPv6Only: Bool?

    /// How long accepting rests after it failed: a process that has used up its descriptors would
    /// otherwise be told of the same waiting client for ever. 100 ms unless set.
    public var retryDelay = Duration.milliseconds(100)

    /// What its connections are made with.
    public var connection = Connection.Configuration()

    /// The limits as they are unless set.
    public init() {}

    func check() {
      require(
        backlog > 0 && connectionLimit > 0,
        "Listener.Configuration: backlog and connectionLimit are 1 or more")
      require(retryDelay > .zero, "Listener.Configuration: retryDelay is more than 0")
      connection.check()
    }
  }

  /// The most clients that are accepted in one turn of the loop, so that a crowd of them does not
  /// hold up everything else. Those that were lost before they were accepted count too.
  static let acceptsPerTurn = 64

  private enum State {
    case open
    /// Rests until the timer has run.
    case failed(EventLoop.Timer)
    case closed
  }

  let core: LoopCore

  /// The loop that runs it.
  public var loop: EventLoop { core.loop }

  /// The address in use, with the real port.
  public let address: SocketAddress

  /// What the listener was made with.
  public let configuration: Configuration

  /// The connections that it has accepted and that are not closed.
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

  /// Gets each client. Until it is set, clients wait in the kernel's queue. A handler that is set
  /// when the loop has ended is dropped.
  public var onConnection: ((Connection) -> Void)? {
    get {
      core.checkAccess()
      return onConnectionHandler
    }
    set {
      core.checkAccess()
      guard !core.hasEnded else { return }
      _ = onConnectionHandler.exchange(for: newValue)
      update()
    }
  }
  private var onConnectionHandler: ((Connection) -> Void)?

  /// Told when the kernel would not accept, most likely `EMFILE`: too many open files. Accepting
  /// goes on after ``Configuration/retryDelay``.
  public var onError: ((SocketError) -> Void)? {
    get {
      core.checkAccess()
      return onErrorHandler
    }
    set {
      core.checkAccess()
      guard !core.hasEnded else { return }
      _ = onErrorHandler.exchange(for: newValue)
    }
  }
  private var onErrorHandler: ((SocketError) -> Void)?

  private let socket: Int32
  private let sockets: OpenSockets
  private let file: SocketFile?
  /// Nil once closed.
  private var readable: Event?
  private var state = State.open
  private var isAccepting = false
  private var acceptsThisTurn = 0

  /// Listens on an address. Clients are accepted from the moment that ``onConnection`` is set.
  /// Wraps `socket(2)`, `bind(2)` and `listen(2)`.
  ///
  /// - Parameters:
  ///   - loop: Whose thread this is.
  ///   - address: One of this machine's, or all of them; port 0 takes a free one.
  ///   - configuration: The limits; those that are out of their range trap.
  /// - Throws: What `socket(2)`, `bind(2)` or `listen(2)` gives, most often `EADDRINUSE`,
  ///   `EADDRNOTAVAIL` or `EACCES`; `ECANCELED` when the loop is ending. Nothing was started.
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

  /// Leaves further clients in the kernel's queue.
  public func pause() {
    guard isOpen else { return }
    core.checkThread()
    isResting = true
    update()
  }

  /// Goes on after ``pause()``.
  public func resume() {
    guard isOpen else { return }
    core.checkThread()
    isResting = false
    update()
  }

  /// Stops listening, and removes the file of a Unix address, if it is still this listener's.
  /// Clients in the kernel's queue are refused; connections go on. Wraps `close(2)`.
  public func close() {
    guard !core.hasEnded else { return }
    core.checkThread()
    if case .closed = state { return }
    sockets.remove(self)
    tearDown()
    ended()
  }

  /// Whether ``close()`` was not called yet.
  public var isOpen: Bool {
    core.checkAccess()
    return if case .closed = state { false } else { true }
  }

  /// Called when the listener has closed, for the task that waits for clients.
  var onEnd: (() -> Void)?

  /// Whether the task that takes the clients has room for more of them.
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

  private func tearDown() {
    if case .closed = state { return }
    if case .failed(let timer) = state { timer.cancel() }
    state = .closed
    // Before the close: the number may be another socket's then.
    readable?.remove()
    readable = nil
    isAccepting = false
    SocketCalls.close(socket)
    file?.remove()
  }

  /// Accepts or rests, as everything together says.
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

  /// Accepts the clients that wait, until something says to rest. Its handler may do that, or close
  /// the listener.
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
    // On Linux the socket has its options from the listening one.
    let connection = Connection(
      client, peerAddress: peerAddress ?? SocketAddress(.unnamed), on: core,
      configuration.connection, listener: self)
    openCount += 1
    countAccept()
    update()
    onConnectionHandler?(connection)
  }

  private func countAccept() {
    acceptsThisTurn += 1
    guard acceptsThisTurn == 1 else { return }
    sockets.callLater { [self] in
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
    options.isIPv6Only = isIPv6Only
    options.tcp = connection.tcp
    return options
  }
}
