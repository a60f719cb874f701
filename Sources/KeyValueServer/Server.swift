import Logging
import PosixAIO
import Reactor
import SystemPackage

/// Serves a database to clients.
final class Server {
  /// The largest answer to one command, in bytes; and how much one client may have waiting.
  static let answerByteLimit = 256 * 1024 * 1024
  /// The gathering batch takes the changes of a client until it has so many bytes.
  private static let batchByteLimit = 8 * 1024 * 1024
  /// How often expired keys are looked for, and the log is looked after.
  private static let tickInterval = Duration.milliseconds(100)
  private static let expiryPlaceLimit = 2000
  /// More clients than may be are told so, as long as they are not many more.
  private static let refusedClientLimit = 64
  /// How long a client has to take its last answers.
  private static let closeTimeout = Duration.seconds(5)

  let database: Database
  let log: Log
  private let loop: EventLoop
  private let logger: Logger
  private let clientLimit: Int
  private let startTime = ContinuousClock.now
  private var listener: Listener?
  private var ticker: EventLoop.Timer?
  private var clients: [ObjectIdentifier: Client] = [:]
  private lazy var call = Call(database, self)

  /// Those with answers that wait for the batch in flight, and for the gathering one.
  var inFlightClients: [Client] = []
  var gatheringClients: [Client] = []

  var commandCount = 0
  private var connectionCount = 0
  private var expiredCount = 0
  private var whenEnded: (() -> Void)?

  /// Called when a client wants the server to end.
  var onShutDown: () -> Void = {}

  init(_ log: Log, clientLimit: Int, _ logger: Logger) {
    self.log = log
    database = log.database
    loop = log.loop
    self.clientLimit = clientLimit
    self.logger = logger
    connectLog()
  }

  /// - Parameter outputTimeout: How long a client may take nothing of what is sent.
  func listen(
    on address: SocketAddress, outputTimeout: Duration = .seconds(60)
  ) throws(Errno) -> SocketAddress {
    var configuration = Listener.Configuration()
    configuration.connectionLimit = clientLimit + Self.refusedClientLimit
    configuration.connection.outputLimitByteCount = 2 * Self.answerByteLimit
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
    guard clients.count < clientLimit else {
      // It has closed before it could be told.
      try? connection.write("-ERR max number of clients reached\r\n".utf8)
      return connection.close()
    }
    connectionCount += 1
    let client = Client(connection, self, call)
    clients[ObjectIdentifier(client)] = client
  }

  func remove(_ client: Client) {
    clients[ObjectIdentifier(client)] = nil
    endIfIdle()
  }

  // MARK: - Batches

  /// Whether clients had better wait before they add to the gathering batch.
  var isBatchFull: Bool { database.records.count >= Self.batchByteLimit }

  private func connectLog() {
    log.onFlight = { [unowned self] in
      require(inFlightClients.isEmpty, "Server: one batch at a time")
      swap(&inFlightClients, &gatheringClients)
      for client in inFlightClients { client.beginFlight() }
    }
    log.onSettled = { [unowned self] in
      let settled = inFlightClients
      inFlightClients = []
      for client in settled { client.settle() }
      endIfIdle()
    }
    log.onFailed = { [unowned self] reason in
      let failed = inFlightClients + gatheringClients
      inFlightClients = []
      gatheringClients = []
      var reply = Reply()
      reply.error(reason)
      for client in failed { client.fail(reply.bytes) }
      endIfIdle()
    }
  }

  private func tick() {
    database.now = .now()
    expiredCount += database.removeExpired(placeLimit: Self.expiryPlaceLimit)
    log.tick()
    endIfIdle()
  }

  // MARK: - The end

  /// Asks whoever runs the server to end it.
  func shutDown() {
    logger.info("a client wants the server to end")
    loop.schedule(after: .zero) { [self] in onShutDown() }
  }

  /// Takes no more requests, and calls when every client has its answers and the log is closed.
  func end(_ handler: @escaping () -> Void) {
    guard whenEnded == nil else { return }
    whenEnded = handler
    listener?.close()
    for client in Array(clients.values) { client.end() }
    endIfIdle()
  }

  private func endIfIdle() {
    guard let whenEnded, clients.isEmpty, !log.isBusy else { return }
    self.whenEnded = nil
    ticker?.cancel()
    log.close(whenEnded)
  }

  // MARK: - What it tells of itself

  /// What CONFIG GET knows.
  var settings: [(name: String, value: String)] {
    [
      ("appendfsync", log.configuration.syncPolicy.rawValue), ("appendonly", "yes"),
      ("databases", "1"), ("dir", "\(log.folder.directory.path)"), ("maxclients", "\(clientLimit)"),
      ("maxmemory", "0"), ("proto-max-bulk-len", "\(RequestParser.Limits().bulkByteCount)"),
      ("save", ""),
    ]
  }

  /// What INFO tells.
  ///
  /// - Parameter sections: Their names; none, "all", "default" or "everything" for all of them.
  func information(sections: some Sequence<Bytes>) -> String {
    let names = Set(sections.map { $0.uppercased.text })
    let isAll = names.isEmpty || !names.isDisjoint(with: ["ALL", "DEFAULT", "EVERYTHING"])
    let keys = database.keyspace
    let figures: [(title: String, lines: [(String, Any)])] = [
      (
        "Server",
        [
          ("server_name", "aio-kv"), ("redis_mode", "standalone"),
          ("tcp_port", listener?.address.port ?? 0),
          ("uptime_in_seconds", (ContinuousClock.now - startTime).components.seconds),
        ]
      ),
      ("Clients", [("connected_clients", clients.count), ("maxclients", clientLimit)]),
      (
        "Persistence",
        [
          ("loading", 0), ("aof_enabled", 1),
          ("aof_rewrite_in_progress", log.rewrite == nil ? 0 : 1),
          ("aof_last_write_status", log.refusal == nil ? "ok" : "err"),
          ("aof_current_size", log.end), ("aof_live_size", keys.byteCount),
        ]
      ),
      (
        "Stats",
        [
          ("total_connections_received", connectionCount),
          ("total_commands_processed", commandCount), ("expired_keys", expiredCount),
        ]
      ),
      (
        "Keyspace",
        keys.count == 0 ? [] : [("db0", "keys=\(keys.count),expires=\(keys.expiringCount)")]
      ),
    ]
    return figures.filter { isAll || names.contains($0.title.uppercased()) }.map { section in
      "# \(section.title)\r\n" + section.lines.map { "\($0.0):\($0.1)\r\n" }.joined()
    }.joined(separator: "\r\n")
  }
}
