import Logging
import PosixAIO
import Reactor
import ReactorHTTP
import SystemPackage

/// Serves the files of a directory on one loop.
final class FileServer {
  private let directory: Directory
  private let handler: RequestHandler
  private let server: HTTPServer
  private let counters: Counters

  /// Collects the statistics of all loops, and passes them on the loop of this server.
  typealias StatisticsProvider = (@escaping (ServerGroupStatistics) -> Void) -> Void

  /// The optional services and the limits of a file server.
  struct Configuration: Sendable {
    var allowsUploads = false
    /// Whether the access log shows the addresses that a proxy adds in `X-Forwarded-For`.
    var trustsForwardedFor = false
    var site = SiteConfiguration()
    /// The users; nil lets all clients in.
    var credentials: Credentials?
    /// Whether only uploads need a password.
    var authenticatesUploadsOnly = false
    var openFiles = OpenFiles.Configuration()
    var http = HTTPServer.Configuration()
  }

  /// The counters that the server and its callbacks share.
  private final class Counters {
    var statistics = ServerStatistics()
  }

  /// - Parameters:
  ///   - log: Called with a line for each request, when its response has ended; nil writes no log.
  ///   - statisticsProvider: The source of the statistics; nil does not serve them.
  init(
    directory: Directory, _ configuration: Configuration, logger: Logger,
    log: ((String) -> Void)? = nil, statisticsProvider: StatisticsProvider? = nil
  ) {
    self.directory = directory
    let handler = RequestHandler(directory, configuration, logger, statisticsProvider)
    let counters = Counters()
    let trusts = configuration.trustsForwardedFor
    let recordsStatistics = log != nil || statisticsProvider != nil
    self.handler = handler
    self.counters = counters
    server = HTTPServer(on: directory.loop, configuration: configuration.http) { request, writer in
      handler.respond(to: request, writer)
    }
    server.onResponseEnd = { record in
      if case .file(let error)? = record.outcome.fileFailure {
        logger.error("a response was cut off: \(error)")
      }
      guard recordsStatistics else { return }
      counters.statistics.count(record)
      log?(LogLine(record, trustsForwardedFor: trusts).text(at: .now))
    }
  }

  func listen(host: String, port: UInt16) throws(HTTPServer.ListenError) -> SocketAddress {
    try server.listen(host: host, port: port)
  }

  /// Shuts down gracefully: refuses new clients and lets responses in progress finish.
  func shutDown(_ whenIdle: @escaping () -> Void) {
    handler.openFiles.close()
    server.shutDown(whenIdle)
  }

  /// The statistics of this server and its loop.
  var statistics: LoopStatistics {
    LoopStatistics(
      server: counters.statistics, connectionCount: server.connectionCount,
      refusedConnectionCount: server.refusedConnectionCount,
      responsesInProgress: server.responsesInProgress, loop: directory.loop.statistics,
      queue: directory.loop.queue.statistics, openFiles: handler.openFiles.statistics)
  }
}
