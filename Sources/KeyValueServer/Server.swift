import Logging
import PosixAIO
import Reactor
import SystemPackage

/// Serves a database to clients.
final class Server {
  /// The limits of clients.
  struct Limits {
    /// Clients at a time; further ones get an error.
    var clientCount = 10_000
    /// Bytes of replies that are held for a client that does not read them.
    var outputByteCount = 512 * 1024 * 1024
    /// Bytes of replies and incomplete requests of all clients.
    var memoryByteCount = 1024 * 1024 * 1024

    /// The smallest limit of bytes.
    static let smallestByteCount = 1024 * 1024
  }

  /// The counts that CONFIG RESETSTAT resets.
  struct Statistics {
    var commandCount = 0
    var connectionCount = 0
    var expiredKeyCount = 0
    var evictedKeyCount = 0
    var refusedConnectionCount = 0
  }

  /// The largest reply to one command, in bytes.
  static let replyByteLimit = 256 * 1024 * 1024
  /// A client adds no more changes to the pending batch when the batch has this many bytes.
  private static let batchByteLimit = 8 * 1024 * 1024
  /// The interval for removing expired keys and for the log's periodic work.
  private static let tickInterval = Duration.milliseconds(100)
  /// The number of clients over the limit that get an error reply. Others wait in the kernel.
  private static let refusedClientLimit = 64
  /// The interval between log messages about HTTP clients.
  private static let attackInterval = Duration.seconds(60)
  /// How long a client has to read its last replies.
  private static let closeTimeout = Duration.seconds(5)

  let database: Database
  let log: Log
  let loop: EventLoop
  let logger: Logger
  /// The password that clients must give; nil if they need none.
  var password: Bytes?
  /// Whether other machines reach the server, so that it must keep a password.
  let mustHavePassword: Bool
  let limits: Limits
  var memoryLimit: MemoryLimit
  var isWorkScheduled = false
  let startTime = ContinuousClock.now
  private(set) var listener: Listener?
  private var ticker: EventLoop.Timer?
  private(set) var clients: [ObjectIdentifier: Client] = [:]
  private(set) lazy var memory = ClientMemory(
    of: self, limit: limits.memoryByteCount)
  private lazy var call = Call(database, self)

  /// Clients with replies that wait for the batch in flight, and for the pending batch.
  var inFlightClients: [Client] = []
  var pendingClients: [Client] = []
  /// Clients that must read replies before their next requests are accepted.
  var congestedClients: [Client] = []

  var statistics = Statistics()
  private var lastClientID = 0
  private var lastAttack: ContinuousClock.Instant?
  private var whenEnded: (() -> Void)?

  /// Called when a client sends SHUTDOWN.
  var onShutDown: () -> Void = {}

  init(
    _ log: Log, _ limits: Limits, memoryLimit: MemoryLimit = MemoryLimit(), password: Bytes? = nil,
    mustHavePassword: Bool = false,
    _ logger: Logger
  ) {
    self.log = log
    database = log.database
    loop = log.loop
    self.limits = limits
    self.memoryLimit = memoryLimit
    self.password = password
    self.mustHavePassword = mustHavePassword
    self.logger = logger
    connectLog()
  }

  /// - Parameter outputTimeout: How long a client may go without reading any of its output.
  func listen(
    on address: SocketAddress, outputTimeout: Duration = .seconds(60)
  ) throws(Errno) -> SocketAddress {
    var configuration = Listener.Configuration()
    configuration.connectionLimit = limits.clientCount + Self.refusedClientLimit
    configuration.connection.outputLimitByteCount = limits.outputByteCount
    configuration.connection.outputTimeout = outputTimeout
    configuration.connection.closeTimeout = Self.closeTimeout
    let listener = try Listener(on: loop, address, configuration: configuration)
    listener.onConnection = { [unowned self] in welcome($0) }
    listener.onError = { [logger] in logger.warning("\($0)") }
    self.listener = listener
    ticker = loop.schedule(every: Self.tickInterval) { [unowned self] in tick() }
    return listener.address
  }

  private func welcome(_ connection: Connection) {
    guard clients.count < limits.clientCount else {
      statistics.refusedConnectionCount += 1
      // The client may already have closed the connection.
      try? connection.write("-ERR max number of clients reached\r\n".utf8)
      return connection.close()
    }
    statistics.connectionCount += 1
    lastClientID += 1
    let client = Client(connection, id: lastClientID, self, call)
    clients[ObjectIdentifier(client)] = client
  }

  func remove(_ client: Client) {
    clients[ObjectIdentifier(client)] = nil
    memory.update(client)
    endIfIdle()
  }

  // MARK: - Batches

  /// Whether clients should wait before they add to the pending batch.
  var isBatchFull: Bool { database.pendingRecords.count >= Self.batchByteLimit }

  private func connectLog() {
    log.onBatchStart = { [unowned self] in
      require(inFlightClients.isEmpty, "Server: one batch at a time")
      swap(&inFlightClients, &pendingClients)
      for client in inFlightClients { client.didBeginBatch() }
    }
    log.onCommit = { [unowned self] in
      let committed = inFlightClients
      inFlightClients = []
      for client in committed { client.didCommit() }
      endIfIdle()
    }
    log.onFailure = { [unowned self] reason in
      let failed = inFlightClients + pendingClients
      inFlightClients = []
      pendingClients = []
      var reply = Reply()
      reply.error(reason)
      for client in failed { client.didFail(reply.bytes) }
      endIfIdle()
    }
  }

  func checkCongestedClients() {
    let checked = congestedClients
    congestedClients = []
    congestedClients += checked.filter { $0.checkProgress() }
  }

  /// Logs that an HTTP client was disconnected, at most once a minute.
  func noteAttack(from client: Client) {
    guard lastAttack.map({ ContinuousClock.now - $0 >= Self.attackInterval }) ?? true else {
      return
    }
    lastAttack = .now
    logger.warning(
      """
      closed client \(client.connection.peerAddress): it sent an HTTP request, perhaps to attack \
      this server through a browser
      """)
  }

  // MARK: - The end

  /// Asks the command to end the server.
  func shutDown() {
    logger.info("a client has asked the server to shut down")
    loop.schedule(after: .zero) { [self] in onShutDown() }
  }

  /// Accepts no more requests. Calls `handler` when every client has its replies and the log is
  /// closed.
  func end(_ handler: @escaping () -> Void) {
    guard whenEnded == nil else { return }
    whenEnded = handler
    listener?.close()
    for client in Array(clients.values) { client.end() }
    endIfIdle()
  }

  func endIfIdle() {
    guard let whenEnded, clients.isEmpty, !log.isBusy else { return }
    self.whenEnded = nil
    ticker?.cancel()
    log.close(whenEnded)
  }
}
