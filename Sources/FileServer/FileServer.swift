import Logging
import PosixAIO
import Reactor
import ReactorHTTP
import SystemPackage

/// Answers requests with the files of a folder.
final class FileServer {
  private let folder: Directory
  private let openFiles: OpenFiles
  private let logger: Logger
  private let configuration: Configuration
  private let log: ((String) -> Void)?
  private let snapshots: Snapshots?
  private var figures = ServerFigures()
  private let server: HTTPServer

  /// Fetches the figures of all loops, and gives them in a turn of this server's loop.
  typealias Snapshots = (@escaping (Snapshot) -> Void) -> Void

  /// What a server does beside sending files, and its limits.
  struct Configuration: Sendable {
    var allowsUploads = false
    var openFiles = OpenFiles.Configuration()
    var http = HTTPServer.Configuration()
  }

  /// - Parameters:
  ///   - log: Gets a line for each request, when its answer has ended; nil keeps no log.
  ///   - snapshots: Nil does not show figures.
  init(
    folder: Directory, _ configuration: Configuration, logger: Logger,
    log: ((String) -> Void)? = nil, snapshots: Snapshots? = nil
  ) {
    self.folder = folder
    openFiles = OpenFiles(in: folder, configuration.openFiles)
    self.configuration = configuration
    self.logger = logger
    self.log = log
    self.snapshots = snapshots
    let answerer = Answerer()
    server = HTTPServer(
      on: folder.loop, configuration: configuration.http
    ) { request, responder in
      answerer.server?.answer(request, responder)
    }
    answerer.server = self
    if log != nil || snapshots != nil {
      server.onResponseEnd = { [weak self] record in self?.keepBooks(record) }
    }
  }

  /// The way from the handler, which the HTTP server holds, back to the file server, which holds
  /// the HTTP server.
  private final class Answerer {
    weak var server: FileServer?
  }

  func listen(host: String, port: UInt16) throws(HTTPServer.ListenError) -> SocketAddress {
    try server.listen(host: host, port: port)
  }

  /// Refuses new clients and lets running answers end.
  func shutDown(_ whenIdle: @escaping () -> Void) {
    openFiles.close()
    server.shutDown(whenIdle)
  }

  private func answer(_ request: HTTPServer.Request, _ responder: HTTPServer.ResponseWriter) {
    switch request.method {
    case .get, .head:
      if let snapshots, let page = FiguresPage(request) {
        return snapshots { page.send($0, responder) }
      }
      guard let path = RequestPath(request.path) else { return responder.refuse(.notFound) }
      sendFile(path, request, responder)
    case .put where configuration.allowsUploads:
      guard let path = RequestPath(request.path) else { return responder.refuse(.notFound) }
      receive(path, request, responder)
    default:
      let methods = configuration.allowsUploads ? "GET, HEAD, PUT" : "GET, HEAD"
      responder.refuse(.methodNotAllowed, headers: ["Allow": methods])
    }
  }

  private func keepBooks(_ record: HTTPServer.ResponseRecord) {
    figures.count(record)
    log?(LogLine(record).text(at: .now))
  }

  /// What this server and its loop have done so far.
  var snapshot: LoopSnapshot {
    LoopSnapshot(
      server: figures, connectionCount: server.connectionCount,
      responsesInProgress: server.responsesInProgress, loop: folder.loop.statistics,
      queue: folder.loop.queue.statistics, openFiles: openFiles.figures)
  }

  private func sendFile(
    _ path: RequestPath, _ request: HTTPServer.Request, _ responder: HTTPServer.ResponseWriter
  ) {
    openFiles.open(path.path) { [self] result in
      switch result {
      case .failure(let error) where error.errno == .isDirectory:
        guard path.endsInSlash else {
          return responder.refuse(
            .movedPermanently, headers: ["Location": path.folderTarget])
        }
        sendFolder(path, request, responder)
      case .failure(let error):
        refuse(responder, error)
      case .success(let file):
        guard !path.endsInSlash else { return responder.refuse(.notFound) }
        send(file, request, responder)
      }
    }
  }

  /// Takes an upload, if its conditions hold.
  private func receive(
    _ path: RequestPath, _ request: HTTPServer.Request, _ responder: HTTPServer.ResponseWriter
  ) {
    // A part must not replace the whole (RFC 9110, section 14.5).
    guard request.headers["Content-Range"] == nil else { return responder.refuse(.badRequest) }
    // Without a length there is no body, which hardly anybody means by a PUT.
    guard request.body.contentLength != 0 || request.headers.contains("Content-Length") else {
      return responder.refuse(.lengthRequired)
    }
    let conditions = Conditions(request.headers)
    guard conditions.concernWriting else {
      return upload(path, request, responder)
    }
    // A condition that keeps one writer from overwriting another's work is not for an old result.
    folder.openFile(path.path, .readOnly, options: .nonBlocking) { [self] result in
      var current: Conditions.Current?
      switch result {
      case .success(let file): current = Representation(OpenFile(file)).current
      case .failure(let error) where error.errno == .noSuchFileOrDirectory: break
      case .failure(let error): return refuse(responder, error)
      }
      guard conditions.outcome(current, isReading: false) == .proceed else {
        return responder.refuse(.preconditionFailed)
      }
      upload(path, request, responder)
    }
  }

  private func upload(
    _ path: RequestPath, _ request: HTTPServer.Request, _ responder: HTTPServer.ResponseWriter
  ) {
    Upload.begin(path, request.body, in: folder, responder, logger) { [openFiles] in
      openFiles.invalidate(path.path)
    }
  }

  private func sendFolder(
    _ path: RequestPath, _ request: HTTPServer.Request, _ responder: HTTPServer.ResponseWriter
  ) {
    openFiles.open(path.appending("index.html")) { [self] result in
      switch result {
      case .success(let file):
        send(file, request, responder)
      case .failure(let error)
      where error.errno == .noSuchFileOrDirectory || error.errno == .isDirectory:
        sendListing(path, request, responder)
      case .failure(let error):
        refuse(responder, error)
      }
    }
  }

  private func sendListing(
    _ path: RequestPath, _ request: HTTPServer.Request, _ responder: HTTPServer.ResponseWriter
  ) {
    folder.openDirectory(path.path) { [self] result in
      switch result {
      case .failure(let error): refuse(responder, error)
      case .success(let listed):
        let listing = FolderListing(
          path: path.path, order: ListingOrder(query: request.query),
          allowsUploads: configuration.allowsUploads)
        send(listing, of: listed, responder)
      }
    }
  }

  private func send(
    _ listing: FolderListing, of listed: Directory, _ responder: HTTPServer.ResponseWriter
  ) {
    listed.list { [self] result in
      switch result {
      case .failure(let error):
        refuse(responder, error)
      case .success(let entries):
        responder.send(.ok, headers: listing.headers, body: listing.page(entries).utf8)
      }
    }
  }

  private func send(
    _ file: OpenFile, _ request: HTTPServer.Request, _ responder: HTTPServer.ResponseWriter
  ) {
    let plain = Representation(file)
    guard mayPreferGzip(plain, request) else {
      return FileResponse.begin(plain, request, responder, logger)
    }
    openSibling(of: file) { [self] sibling in
      FileResponse.begin(choose(plain, sibling, request), request, responder, logger)
    }
  }

  // MARK: - Precompressed files

  private func mayPreferGzip(_ plain: Representation, _ request: HTTPServer.Request) -> Bool {
    plain.mediaType.isCompressible
      && AcceptedEncodings(request.headers.list("Accept-Encoding")).preferGzip
  }

  /// Opens `NAME.gz`; gives nil where it is none to send, or is older than the file itself and so
  /// perhaps not the same any more.
  private func openSibling(
    of file: OpenFile, _ handler: @escaping (OpenFile?) -> Void
  ) {
    guard let name = file.path.lastComponent,
      let siblingName = FilePath.Component(name.string + ".gz"),
      // Only where the name is text, which file names need not be.
      siblingName.bytes == name.bytes + Array(".gz".utf8)
    else { return handler(nil) }
    openFiles.open(file.path.removingLastComponent().appending(siblingName)) { result in
      guard case .success(let sibling) = result,
        !sibling.status.modified.isBefore(file.status.modified)
      else { return handler(nil) }
      handler(sibling)
    }
  }

  /// Who asks for a range means the file's own bytes, unless it continues a compressed one, which
  /// it names in `If-Range`.
  private func choose(
    _ plain: Representation, _ sibling: OpenFile?, _ request: HTTPServer.Request
  ) -> Representation {
    guard let sibling else { return plain }
    let gzip = Representation(gzip: sibling, of: plain.file)
    let isForRange = request.method == .get && request.headers["Range"] != nil
    guard !isForRange || Conditions(request.headers).rangeNames(gzip.tag) else {
      return plain
    }
    return gzip
  }

  private func refuse(_ responder: HTTPServer.ResponseWriter, _ error: FileError) {
    let status = HTTPStatus(readingFailedWith: error.errno)
    if status == .internalServerError { logger.error("\(error)") }
    responder.refuse(status)
  }
}
