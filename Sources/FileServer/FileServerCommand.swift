import ArgumentParser
import Glibc
import Logging
import PosixAIO
import ProgramSupport
import Reactor
import ReactorHTTP
import SystemPackage

/// `aio-fileserver`: serves a folder over HTTP, its files read and written by asynchronous IO on
/// one thread.
@main
struct FileServerCommand: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "aio-fileserver",
    abstract: "Serves the files of a folder over HTTP/1.1, with uploads if asked for.")

  @Option(help: "The folder to serve. Nothing outside of it is ever sent.")
  var root: String

  @Option(help: "The address to listen on.")
  var host = "127.0.0.1"

  @Option(help: "The port to listen on; 0 takes a free one.")
  var port: UInt16 = 8080

  @Flag(help: "Lets clients make and replace files by PUT.")
  var upload = false

  @Option(
    help: "The largest upload, in bytes. It is written as it arrives, and not held in memory.")
  var maxUpload = 1024 * 1024 * 1024

  @Option(
    help: """
      A file to append a line for each request to, in the Combined Log Format. Opened anew on \
      SIGHUP.
      """)
  var accessLog: String?

  @Flag(help: "Shows live figures at /_stats, /_stats.json and, for Prometheus, /metrics.")
  var stats = false

  @Option(help: "How many threads serve, each with a loop of its own; 1 to 16.")
  var threads = 1

  @Option(
    help: """
      The files that each thread keeps open for the next who asks, and as many names of which it \
      keeps what they stand for; 0 keeps none. Never more than a quarter of the process's \
      descriptors.
      """)
  var openFiles = 1000

  @Option(
    help: """
      The seconds for which such a file is taken to be what it was; then it is looked at again. 0 \
      looks each time.
      """)
  var openFileValidity = 1

  @Option(help: "The connections that each thread has open at a time; further clients wait.")
  var maxConnections = 10_000

  @Option(help: "The seconds after which a connection is closed on which nothing moves.")
  var idleTimeout = 30

  @Option(
    help: "The seconds that a request may take to arrive, beside what its bytes take at the rate.")
  var requestTimeout = 30

  @Option(help: "The bytes per second that extend the time of a request.")
  var minUploadRate = 1024

  @Option(help: "The seconds that a client may take for a piece of an answer, beside the same.")
  var responseTimeout = 30

  @Option(help: "The bytes per second that extend the time of a piece.")
  var minDownloadRate = 1024

  /// Each loop takes one of 31 real-time signals.
  private static let maximumThreadCount = 16

  /// As many as Linux has descriptors for one process, unless it is told otherwise.
  private static let maximumMaxConnections = 1 << 20

  /// As for connections.
  private static let maximumOpenFiles = maximumMaxConnections

  /// An hour.
  private static let maximumOpenFileValidity = 3600

  /// A thousand clients may come in the same moment.
  private static let backlog = 4096

  func validate() throws {
    guard maxUpload >= 0 else {
      throw ValidationError("--max-upload is a number of bytes, 0 or more")
    }
    guard (1...Self.maximumThreadCount).contains(threads) else {
      throw ValidationError("--threads is 1 to \(Self.maximumThreadCount)")
    }
    guard (0...Self.maximumOpenFiles).contains(openFiles) else {
      throw ValidationError("--open-files is 0 to \(Self.maximumOpenFiles)")
    }
    guard (0...Self.maximumOpenFileValidity).contains(openFileValidity) else {
      throw ValidationError(
        "--open-file-validity is a number of seconds, from 0 to \(Self.maximumOpenFileValidity)")
    }
    guard maxConnections <= Self.maximumMaxConnections else {
      throw ValidationError("--max-connections is at most \(Self.maximumMaxConnections)")
    }
    let limits = [
      maxConnections, idleTimeout, requestTimeout, minUploadRate, responseTimeout, minDownloadRate,
    ]
    guard limits.allSatisfy({ $0 > 0 }) else {
      throw ValidationError(
        """
        --max-connections, --idle-timeout, --request-timeout, --min-upload-rate, \
        --response-timeout and --min-download-rate are 1 or more
        """)
    }
  }

  static func main() { start() }

  func run() throws {
    LoggingSystem.bootstrap { StreamLogHandler.standardError(label: $0) }
    // A file that may not grow any further is an answer to one client, not the end of the process.
    signal(SIGXFSZ, SIG_IGN)
    // Nor is a reader of the log that has gone.
    signal(SIGPIPE, SIG_IGN)
    // Each client takes one, and its file another.
    raiseDescriptorLimit()
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
    let outlets = Outlets(
      first: loop.remote, group: Handed(group), log: log.map { Handed($0) }, logger: logger)
    let server = try makeServer(on: loop, outlets)
    let address = try server.listen(host: host, port: port)
    group.add(server, loop.remote)
    for _ in 1..<threads {
      group.add(try startMember(port: address.port, on: loop, outlets))
    }
    // Also without a log, so that the habit of sending it does no harm.
    loop.watch(.hangUp) { log?.reopen() }
    endPolitely(group, log, loop)
    // The one line of standard output says that clients are welcome, so nothing may hold it back.
    print("listening on http://\(address)")
    fflush(nil)
    loop.run()
  }

  /// All clients may ask for a file in the same moment, and none is to be refused for that.
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

  /// Opening a file while the ones before are being closed.
  private static let callsPerConnection = 4

  /// Each answer takes a read and a close.
  private static let completionsPerTurn = 2 * cachedReadsPerTurn

  /// So many answers go out before the loop looks for requests again: fewer take more turns, more
  /// let a client wait that asks meanwhile.
  private static let cachedReadsPerTurn = 16

  /// A piece of a download, or one of an upload.
  private static let byteCountPerConnection = 256 * 1024

  private var serverConfiguration: FileServer.Configuration {
    var configuration = FileServer.Configuration()
    configuration.allowsUploads = upload
    if upload { configuration.http.bodyByteLimit = Int64(maxUpload) }
    configuration.openFiles.limit = keptFileCount
    configuration.openFiles.validity = .seconds(openFileValidity)
    configuration.http.connectionLimit = maxConnections
    configuration.http.inactivityTimeout = .seconds(idleTimeout)
    configuration.http.requestTimeout = .seconds(requestTimeout)
    configuration.http.minimumRequestByteRate = minUploadRate
    configuration.http.responseTimeout = .seconds(responseTimeout)
    configuration.http.minimumResponseByteRate = minDownloadRate
    configuration.http.reusesPort = threads > 1
    configuration.http.backlog = Self.backlog
    return configuration
  }

  /// What is kept must not keep clients out, who take descriptors, too.
  private var keptFileCount: Int {
    min(openFiles, descriptorLimit / Self.keptFileFraction / threads)
  }

  private static let keptFileFraction = 4

  private func openRoot(on loop: EventLoop) throws -> Directory {
    try opened("cannot serve \"\(root)\"", on: loop) { handler in
      Directory.open(FilePath(root), on: loop, handler)
    }
  }

  /// What all threads share. The group and the log belong to the first loop's thread.
  private struct Outlets: Sendable {
    let first: EventLoop.Remote
    let group: Handed<ServerGroup>
    let log: Handed<AccessLog>?
    let logger: Logger
  }

  private func makeServer(on loop: EventLoop, _ outlets: Outlets) throws -> FileServer {
    let (first, group, here) = (outlets.first, outlets.group, loop.remote)
    let isFirst = first === here
    let log = outlets.log.map { log -> (String) -> Void in
      isFirst ? log.value.add : { line in first.execute { _ in log.value.add(line) } }
    }
    let snapshots: FileServer.Snapshots = { handler in
      let handler = Handed(handler)
      first.execute { _ in
        group.value.snapshot { snapshot in here.execute { _ in handler.value(snapshot) } }
      }
    }
    return FileServer(
      folder: try openRoot(on: loop), serverConfiguration, logger: outlets.logger, log: log,
      snapshots: stats ? snapshots : nil)
  }

  /// Starts a thread with a loop and a server, and waits for it to listen.
  private func startMember(
    port: UInt16, on first: EventLoop, _ outlets: Outlets
  ) throws -> ServerGroup.Member {
    let outcome = Handed(Outcome())
    try startThread { [self] in
      let result = Result<(EventLoop, ServerGroup.Member), any Error> {
        let loop = try EventLoop(configuration: loopConfiguration)
        let server = try makeServer(on: loop, outlets)
        _ = try server.listen(host: host, port: port)
        return (loop, ServerGroup.Member(remote: loop.remote, server: Handed(server)))
      }
      let member = result.map(\.1)
      outlets.first.execute { loop in
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

  private func openAccessLog(on loop: EventLoop, _ logger: Logger) throws -> AccessLog? {
    guard let accessLog else { return nil }
    return try opened("cannot write \"\(accessLog)\"", on: loop) { handler in
      AccessLog.open(FilePath(accessLog), on: loop, logger, handler)
    }
  }

  /// Waits for something to be opened, before there is anything else to do.
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

  /// The first signal lets running answers end; the second one does not wait for them.
  private func endPolitely(_ group: ServerGroup, _ log: AccessLog?, _ loop: EventLoop) {
    var isEnding = false
    for signal in [POSIXSignal.interrupt, .terminate] {
      loop.watch(signal) {
        guard !isEnding else { return loop.stop() }
        isEnding = true
        group.shutDown {
          guard let log else { return loop.stop() }
          log.close { loop.stop() }
        }
      }
    }
  }
}
