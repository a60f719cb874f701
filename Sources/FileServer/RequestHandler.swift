import Logging
import PosixAIO
import Reactor
import ReactorHTTP
import SystemPackage

/// Responds to the requests of one loop with the files of a folder.
final class RequestHandler {
  private let folder: Directory
  let openFiles: OpenFiles
  private let logger: Logger
  private let allowsUploads: Bool
  private let snapshots: FileServer.Snapshots?

  init(
    _ folder: Directory, _ configuration: FileServer.Configuration, _ logger: Logger,
    _ snapshots: FileServer.Snapshots?
  ) {
    self.folder = folder
    openFiles = OpenFiles(in: folder, configuration.openFiles)
    allowsUploads = configuration.allowsUploads
    self.logger = logger
    self.snapshots = snapshots
  }

  func respond(to request: HTTPServer.Request, _ responder: HTTPServer.ResponseWriter) {
    switch request.method {
    case .get, .head:
      if let snapshots, let page = FiguresPage(request) {
        return snapshots { page.send($0, responder) }
      }
      guard let path = RequestPath(request.path) else { return responder.refuse(.notFound) }
      sendFile(path, request, responder)
    case .put where allowsUploads:
      guard let path = RequestPath(request.path) else { return responder.refuse(.notFound) }
      receive(path, request, responder)
    default:
      let methods = allowsUploads ? "GET, HEAD, PUT" : "GET, HEAD"
      responder.refuse(.methodNotAllowed, headers: ["Allow": methods])
    }
  }

  private func sendFile(
    _ path: RequestPath, _ request: HTTPServer.Request, _ responder: HTTPServer.ResponseWriter
  ) {
    // Mostly it is, and then no closure is made.
    if let result = openFiles.keptResult(of: path.key) {
      return send(result, path, request, responder)
    }
    openFiles.open(path.key) { [self] result in send(result, path, request, responder) }
  }

  private func send(
    _ result: Result<OpenFile, FileError>, _ path: RequestPath, _ request: HTTPServer.Request,
    _ responder: HTTPServer.ResponseWriter
  ) {
    switch result {
    case .failure(let error) where error.errno == .isDirectory:
      guard path.endsInSlash else {
        return responder.refuse(.movedPermanently, headers: ["Location": path.folderTarget])
      }
      sendFolder(path, request, responder)
    case .failure(let error):
      refuse(responder, error)
    case .success(let file):
      guard !path.endsInSlash else { return responder.refuse(.notFound) }
      send(file, request, responder)
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
      openFiles.invalidate(path.key)
    }
  }

  private func sendFolder(
    _ path: RequestPath, _ request: HTTPServer.Request, _ responder: HTTPServer.ResponseWriter
  ) {
    openFiles.open(PathKey(path.appending("index.html"))) { [self] result in
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
          allowsUploads: allowsUploads)
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
      return FileResponse.begin(plain, request, responder)
    }
    openSibling(of: file) { [self] sibling in
      FileResponse.begin(choose(plain, sibling, request), request, responder)
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
    openFiles.open(PathKey(file.path.removingLastComponent().appending(siblingName))) { result in
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
