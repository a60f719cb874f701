import ArgumentParser
import Glibc
import Logging
import PosixAIO
import ProgramSupport
import Reactor
import ReactorHTTP
import SystemPackage

/// `aio-fileserver`: serves a directory over HTTP, with asynchronous file IO on one thread per
/// loop.
@main
struct FileServerCommand: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "aio-fileserver",
    abstract: "Serves the files of a directory over HTTP/1.1, optionally with uploads.",
    version: "0.1.0")

  @Option(help: "The directory to serve. Files outside it are never sent.")
  var root: String

  @Option(help: "The address to listen on.")
  var host = "127.0.0.1"

  @Option(help: "The port to listen on; 0 picks a free one.")
  var port: UInt16 = 8080

  @Flag(help: "Lets clients create and replace files with PUT.")
  var upload = false

  @Option(
    help: "The largest upload, in bytes. Uploads are written as they arrive, not held in memory.")
  var maxUpload = 1024 * 1024 * 1024

  @Option(
    help: """
      The file that gets a line for each request, in the Combined Log Format; "-" is standard \
      output. SIGHUP reopens it.
      """)
  var accessLog: String?

  @Flag(
    help: """
      Shows the last address of X-Forwarded-For in the access log, for a server that only a proxy \
      can reach.
      """)
  var trustForwardedFor = false

  @OptionGroup
  var site: SiteOptions

  @OptionGroup
  var authentication: AuthenticationOptions

  @Flag(help: "Serves statistics at /_stats, /_stats.json and, for Prometheus, /metrics.")
  var stats = false

  @Option(help: "The number of threads, each with its own loop; 1 to 16.")
  var threads = 1

  @Option(
    help: """
      The most files that each thread keeps open between requests, and the most names that it \
      caches without a file; 0 disables the cache. All threads together keep at most a quarter \
      of the descriptor limit of the process open.
      """)
  var openFiles = 1000

  @Option(
    help: """
      The seconds after which a kept file or name is checked again. 0 checks it for each request.
      """)
  var openFileValidity = 1

  @Option(help: "The most open connections of each thread; further clients wait.")
  var maxConnections = 10_000

  @Option(
    help: """
      The most open connections of one address to each thread; an IPv6 network of 64 bits counts \
      as one address. By default it is 1000, at most a quarter of --max-connections, and none for \
      loopback, from where a proxy connects.
      """)
  var maxConnectionsPerAddress: Int?

  @Option(help: "The seconds after which an inactive connection is closed.")
  var idleTimeout = 30

  @Option(
    help: "The seconds that a request may take, plus its bytes at --min-upload-rate.")
  var requestTimeout = 30

  @Option(help: "The bytes per second that extend the time of a request.")
  var minUploadRate = 1024

  @Option(
    help: "The seconds that a client may take for output, plus its bytes at --min-download-rate.")
  var responseTimeout = 30

  @Option(help: "The bytes per second that extend the time for output.")
  var minDownloadRate = 1024

  /// Each loop uses one of the 31 real-time signals.
  private static let maximumThreadCount = 16

  /// The limit of descriptors per process that Linux has by default.
  private static let maximumMaxConnections = 1 << 20

  /// The same limit as for connections.
  private static let maximumOpenFiles = maximumMaxConnections

  /// One hour.
  private static let maximumOpenFileValidity = 3600

  /// A thousand clients may connect at the same moment.
  private static let backlog = 4096

  func validate() throws {
    guard maxUpload >= 0 else {
      throw ValidationError("--max-upload must be 0 or more bytes")
    }
    guard (1...Self.maximumThreadCount).contains(threads) else {
      throw ValidationError("--threads must be 1 to \(Self.maximumThreadCount)")
    }
    guard (0...Self.maximumOpenFiles).contains(openFiles) else {
      throw ValidationError("--open-files must be 0 to \(Self.maximumOpenFiles)")
    }
    guard (0...Self.maximumOpenFileValidity).contains(openFileValidity) else {
      throw ValidationError(
        "--open-file-validity must be 0 to \(Self.maximumOpenFileValidity) seconds")
    }
    guard maxConnections <= Self.maximumMaxConnections else {
      throw ValidationError("--max-connections must be at most \(Self.maximumMaxConnections)")
    }
    let limits = [
      maxConnections, maxConnectionsPerAddress ?? 1, idleTimeout, requestTimeout, minUploadRate,
      responseTimeout, minDownloadRate,
    ]
    guard limits.allSatisfy({ $0 > 0 }) else {
      throw ValidationError(
        """
        --max-connections, --max-connections-per-address, --idle-timeout, --request-timeout, \
        --min-upload-rate, --response-timeout and --min-download-rate must be 1 or more
        """)
    }
  }

  static func main() { start() }

  func run() throws {
    LoggingSystem.bootstrap { StreamLogHandler.standardError(label: $0) }
    // A write that exceeds the file size limit gives its client an error, and must not end the
    // process.
    signal(SIGXFSZ, SIG_IGN)
    // A log reader that has exited must not end it either.
    signal(SIGPIPE, SIG_IGN)
    // Each client uses one descriptor, and its file another one.
    raiseDescriptorLimit()
    MediaType.prepare()
    let loop: EventLoop
    do throws(Errno) {
      loop = try EventLoop(configuration: loopConfiguration)
    } catch {
      throw StartFailure("cannot make an event loop: \(error)")
    }
    let logger = Logger(label: "aio-fileserver")
    let log = try openAccessLog(on: loop, logger)
    let group = ServerGroup(loop)
    group.droppedLogByteCount = { log?.droppedByteCount ?? 0 }
    let services = SharedServices(
      first: loop.remote, group: UncheckedTransfer(group),
      log: log.map { UncheckedTransfer($0) }, credentials: try readCredentials(),
      logger: logger)
    let server = try makeServer(on: loop, services)
    let address = try server.listen(host: host, port: port)
    group.add(server, loop.remote)
    for _ in 1..<threads {
      group.add(try startMember(port: address.port, on: loop, services))
    }
    // Handled without a log, too, so that SIGHUP does not end the process.
    loop.watch(.hangUp) { log?.reopen() }
    installShutdownHandlers(group, log, loop)
    // Print the line to standard output now: it states that the server accepts clients.
    print("listening on http://\(address)")
    fflush(nil)
    loop.run()
  }

  /// All clients may request a file at the same moment, and the limits must allow for that.
  private var loopConfiguration: EventLoop.Configuration {
    var configuration = EventLoop.Configuration()
    let callLimit = Self.callsPerConnection * maxConnections
    configuration.offloadLimit = max(configuration.offloadLimit, callLimit)
    let byteLimit = Self.byteCountPerConnection * maxConnections
    configuration.queue.heldByteLimit = max(
      configuration.queue.heldByteLimit, byteLimit)
    configuration.completionsPerSharedTurn = Self.completionsPerTurn
    configuration.cachedReadsPerSharedTurn = Self.cachedReadsPerTurn
    return configuration
  }

  /// The calls for opening a file while the previous ones are closed.
  private static let callsPerConnection = 4

  /// Each response uses a read and a close.
  private static let completionsPerTurn = 2 * cachedReadsPerTurn

  /// The number of responses to send before the loop checks for requests again. Fewer cost more
  /// turns; more let a client wait that sends a request in the meantime.
  private static let cachedReadsPerTurn = 16

  /// The size of a piece of a download or an upload.
  private static let byteCountPerConnection = 256 * 1024

  private var serverConfiguration: FileServer.Configuration {
    var configuration = FileServer.Configuration()
    configuration.allowsUploads = upload
    if upload { configuration.http.bodyByteLimit = Int64(maxUpload) }
    configuration.openFiles.limit = keptFileCount
    configuration.openFiles.validity = .seconds(openFileValidity)
    configuration.http.connectionLimit = maxConnections
    configuration.http.connectionLimitPerAddress =
      maxConnectionsPerAddress ?? max(1, min(Self.usualConnectionsPerAddress, maxConnections / 4))
    configuration.http.limitsLoopback = maxConnectionsPerAddress != nil
    configuration.http.responseHeaders = site.responseHeaders
    configuration.site = site.configuration
    configuration.authenticatesUploadsOnly = authentication.uploadsOnly
    configuration.trustsForwardedFor = trustForwardedFor
    configuration.openFiles.cacheControl = site.cacheControl
    configuration.http.inactivityTimeout = .seconds(idleTimeout)
    configuration.http.requestTimeout = .seconds(requestTimeout)
    configuration.http.minimumRequestByteRate = minUploadRate
    configuration.http.responseTimeout = .seconds(responseTimeout)
    configuration.http.minimumResponseByteRate = minDownloadRate
    configuration.http.reusesPort = threads > 1
    configuration.http.backlog = Self.backlog
    return configuration
  }

  /// For an address behind which many people may be.
  private static let usualConnectionsPerAddress = 1000

  /// Kept files leave most descriptors to clients.
  private var keptFileCount: Int {
    min(openFiles, descriptorLimit / Self.keptFileFraction / threads)
  }

  private static let keptFileFraction = 4

  private func openRoot(on loop: EventLoop) throws -> Directory {
    try opened("cannot serve \"\(root)\"", on: loop) { handler in
      Directory.open(FilePath(root), on: loop, handler)
    }
  }

  /// The services that all threads share. The group and the log belong to the thread of the first
  /// loop.
  private struct SharedServices: Sendable {
    let first: EventLoop.Remote
    let group: UncheckedTransfer<ServerGroup>
    let log: UncheckedTransfer<AccessLog>?
    let credentials: Credentials?
    let logger: Logger
  }

  private func makeServer(on loop: EventLoop, _ services: SharedServices) throws -> FileServer {
    let (first, group, here) = (services.first, services.group, loop.remote)
    let isFirst = first === here
    var configuration = serverConfiguration
    configuration.credentials = services.credentials
    // Another server of this user that also has threads would silently get a part of the clients.
    configuration.http.requiresFreePort = isFirst
    let log = services.log.map { log -> (String) -> Void in
      isFirst ? log.value.add : { line in first.execute { _ in log.value.add(line) } }
    }
    let statisticsProvider: FileServer.StatisticsProvider = { handler in
      let handler = UncheckedTransfer(handler)
      first.execute { _ in
        group.value.collectStatistics { statistics in
          here.execute { _ in handler.value(statistics) }
        }
      }
    }
    return FileServer(
      directory: try openRoot(on: loop), configuration, logger: services.logger, log: log,
      statisticsProvider: stats ? statisticsProvider : nil)
  }

  /// Starts a thread with a loop and a server, and waits until it listens.
  private func startMember(
    port: UInt16, on first: EventLoop, _ services: SharedServices
  ) throws -> ServerGroup.Member {
    let outcome = UncheckedTransfer(Outcome())
    try startThread { [self] in
      let result = Result<(EventLoop, ServerGroup.Member), any Error> {
        let loop = try EventLoop(configuration: loopConfiguration)
        let server = try makeServer(on: loop, services)
        _ = try server.listen(host: host, port: port)
        return (loop, ServerGroup.Member(remote: loop.remote, server: UncheckedTransfer(server)))
      }
      let member = result.map(\.1)
      services.first.execute { loop in
        outcome.value.member = member
        loop.stop()
      }
      if case .success((let loop, _)) = result { loop.run() }
    }
    first.run()
    guard let member = outcome.value.member else {
      throw StartFailure("a thread did not start: the loop was stopped")
    }
    return try member.get()
  }

  private final class Outcome {
    var member: Result<ServerGroup.Member, any Error>?
  }

  private func readCredentials() throws -> Credentials? {
    do {
      return try authentication.credentials()
    } catch {
      throw StartFailure("cannot use \"\(authentication.file ?? "--auth")\": \(error)")
    }
  }

  private func openAccessLog(on loop: EventLoop, _ logger: Logger) throws -> AccessLog? {
    guard let accessLog else { return nil }
    let path: FilePath = accessLog == "-" ? "/dev/stdout" : FilePath(accessLog)
    return try opened("cannot write \"\(accessLog)\"", on: loop) { handler in
      AccessLog.open(path, on: loop, logger, handler)
    }
  }

  /// Runs the loop until something is open, before there is any other work.
  private func opened<Value>(
    _ complaint: String, on loop: EventLoop,
    _ open: (@escaping (Result<Value, FileError>) -> Void) -> Void
  ) throws -> Value {
    var opened: Result<Value, FileError>?
    open { result in
      opened = result
      loop.stop()
    }
    loop.run()
    switch opened {
    case .success(let value): return value
    case .failure(let error): throw StartFailure("\(complaint): \(error.errno)")
    case nil: throw StartFailure("\(complaint): the loop was stopped")
    }
  }

  /// The longest time for the last lines of the access log.
  private static let logCloseLimit = Duration.seconds(5)

  /// The first signal shuts down gracefully; the second one stops the program immediately.
  private func installShutdownHandlers(_ group: ServerGroup, _ log: AccessLog?, _ loop: EventLoop) {
    var isEnding = false
    for signal in [POSIXSignal.interrupt, .terminate] {
      loop.watch(signal) {
        guard !isEnding else { return loop.stop() }
        isEnding = true
        group.shutDown {
          guard let log else { return loop.stop() }
          log.close { loop.stop() }
          // A pipe that is not read would hold up the end.
          loop.schedule(after: Self.logCloseLimit) { loop.stop() }
        }
      }
    }
  }
}
