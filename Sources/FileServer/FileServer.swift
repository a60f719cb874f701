import Logging
import PosixAIO
import Reactor
import ReactorHTTP
import SystemPackage

/// Serves the files of a folder in one loop.
final class FileServer {
  private let folder: Directory
  private let handler: RequestHandler
  private let server: HTTPServer
  private let counters: Counters

  /// Fetches the figures of all loops, and gives them in a turn of this server's loop.
  typealias Snapshots = (@escaping (Snapshot) -> Void) -> Void

  /// What a server does beside sending files, and its limits.
  struct Configuration: Sendable {
    var allowsUploads = false
    var openFiles = OpenFiles.Configuration()
    var http = HTTPServer.Configuration()
  }

  /// Shared by the server and what it calls for each response.
  private final class Counters {
    var figures = ServerFigures()
  }

  /// - Parameters:
  ///   - log: Gets a line for each request, when its response has ended; nil keeps no log.
  ///   - snapshots: Nil does not show figures.
  init(
    folder: Directory, _ configuration: Configuration, logger: Logger,
    log: ((String) -> Void)? = nil, snapshots: Snapshots? = nil
  ) {
    self.folder = folder
    let handler = RequestHandler(folder, configuration, logger, snapshots)
    let counters = Counters()
    let keepsCounts = log != nil || snapshots != nil
    self.handler = handler
    self.counters = counters
    server = HTTPServer(on: folder.loop, configuration: configuration.http) { request, responder in
      handler.respond(to: request, responder)
    }
    server.onResponseEnd = { record in
      if case .file(let error)? = record.outcome.fileFailure {
        logger.error("a response was broken off: \(error)")
      }
      guard keepsCounts else { return }
      counters.figures.count(record)
      log?(LogLine(record).text(at: .now))
    }
  }

  func listen(host: String, port: UInt16) throws(HTTPServer.ListenError) -> SocketAddress {
    try server.listen(host: host, port: port)
  }

  /// Refuses new clients and lets running responses end.
  func shutDown(_ whenIdle: @escaping () -> Void) {
    handler.openFiles.close()
    server.shutDown(whenIdle)
  }

  /// What this server and its loop have done so far.
  var snapshot: LoopSnapshot {
    LoopSnapshot(
      server: counters.figures, connectionCount: server.connectionCount,
      responsesInProgress: server.responsesInProgress, loop: folder.loop.statistics,
      queue: folder.loop.queue.statistics, openFiles: handler.openFiles.figures)
  }
}
