import Logging
import PosixAIO
import Reactor
import ReactorHTTP
import SystemPackage

/// Responds to the requests of one loop with the files of a directory.
final class RequestHandler {
  private let directory: Directory
  let openFiles: OpenFiles
  private let listings: ListingQueue
  private let logger: Logger
  private let allowsUploads: Bool
  private let site: SiteConfiguration
  /// Nil lets all clients in.
  private let authenticator: Authenticator?
  private let authenticatesUploadsOnly: Bool
  private let statisticsProvider: FileServer.StatisticsProvider?

  init(
    _ directory: Directory, _ configuration: FileServer.Configuration, _ logger: Logger,
    _ statisticsProvider: FileServer.StatisticsProvider?
  ) {
    self.directory = directory
    openFiles = OpenFiles(in: directory, configuration.openFiles)
    listings = ListingQueue(on: directory.loop)
    allowsUploads = configuration.allowsUploads
    site = configuration.site
    authenticator = configuration.credentials.map { Authenticator($0, on: directory.loop) }
    authenticatesUploadsOnly = configuration.authenticatesUploadsOnly
    self.logger = logger
    self.statisticsProvider = statisticsProvider
  }

  func respond(to request: HTTPServer.Request, _ writer: HTTPServer.ResponseWriter) {
    if let hosts = site.hosts, !hosts.allows(request.authority) {
      return writer.refuse(.misdirectedRequest)
    }
    guard let authenticator, needsPassword(request.method) else { return serve(request, writer) }
    authenticator.check(
      request.headers["Authorization"], unless: { writer.isConnectionLost }
    ) { [self] outcome in
      switch outcome {
      case .allowed: serve(request, writer)
      case .refused: writer.refuse(.unauthorized, headers: Self.challenge)
      case .overloaded: writer.refuse(.serviceUnavailable, headers: ["Retry-After": "1"])
      }
    }
  }

  private static let challenge: HeaderFields = [
    "WWW-Authenticate": "Basic realm=\"files\", charset=\"UTF-8\""
  ]

  private func needsPassword(_ method: HTTPMethod) -> Bool {
    switch method {
    case .get, .head: !authenticatesUploadsOnly
    // A browser sends the question whether another site may read files without a password.
    case .options where site.allowsOtherOrigins: false
    default: true
    }
  }

  private func serve(_ request: HTTPServer.Request, _ writer: HTTPServer.ResponseWriter) {
    switch request.method {
    case .get, .head:
      if let statisticsProvider, let page = StatisticsPage(request) {
        return statisticsProvider { page.send($0, writer) }
      }
      switch place(of: request) {
      case .path(let path): sendFile(path, request, writer)
      case .redirect: redirect(request, writer)
      case .missing: sendMissing(nil, request, writer)
      }
    case .put where allowsUploads:
      guard case .path(let path) = place(of: request) else { return writer.refuse(.notFound) }
      receive(path, request, writer)
    case .options where site.allowsOtherOrigins:
      writer.send(.noContent, headers: Self.preflightHeaders)
    default:
      writer.refuse(.methodNotAllowed, headers: ["Allow": allowedMethods])
    }
  }

  /// Other sites may read files, and never upload them.
  private static let preflightHeaders: HeaderFields = [
    "Access-Control-Allow-Methods": "GET, HEAD",
    "Access-Control-Allow-Headers": "*, Authorization",
    "Access-Control-Max-Age": "600",
  ]

  private var allowedMethods: String {
    "GET, HEAD" + (allowsUploads ? ", PUT" : "") + (site.allowsOtherOrigins ? ", OPTIONS" : "")
  }

  private enum Place {
    case path(RequestPath)
    /// The prefix of the site, without its slash.
    case redirect
    case missing
  }

  private func place(of request: HTTPServer.Request) -> Place {
    switch site.place(of: request.path) {
    case .prefix: return .redirect
    case .outside: return .missing
    case .inside(let encoded):
      guard let path = RequestPath(encoded), !site.hiddenNames.hides(path) else { return .missing }
      return .path(path)
    }
  }

  private func redirect(_ request: HTTPServer.Request, _ writer: HTTPServer.ResponseWriter) {
    let location = RequestPath.directoryReference(request.path, query: request.query)
    writer.refuse(.movedPermanently, headers: ["Location": location])
  }

  private func sendFile(
    _ path: RequestPath, _ request: HTTPServer.Request, _ writer: HTTPServer.ResponseWriter
  ) {
    // Usually the result is kept, and this path makes no closure.
    if let result = openFiles.keptResult(of: path.key) {
      return send(result, path, request, writer)
    }
    openFiles.open(path.key) { [self] result in send(result, path, request, writer) }
  }

  private func send(
    _ result: Result<OpenFile, FileError>, _ path: RequestPath, _ request: HTTPServer.Request,
    _ writer: HTTPServer.ResponseWriter
  ) {
    switch result {
    case .failure(let error) where error.errno == .isDirectory:
      guard path.endsInSlash else {
        return redirect(request, writer)
      }
      sendIndexOrListing(path, request, writer)
    case .failure(let error) where HTTPStatus(readingFailedWith: error.errno) == .notFound:
      sendMissing(path, request, writer)
    case .failure(let error):
      refuse(writer, error)
    case .success(let file):
      guard !path.endsInSlash else { return sendMissing(path, request, writer) }
      send(file, request, writer)
    }
  }

  /// - Parameter path: The missing path; nil for one that the site never has.
  private func sendMissing(
    _ path: RequestPath?, _ request: HTTPServer.Request, _ writer: HTTPServer.ResponseWriter
  ) {
    if let page = site.applicationPage, path?.hasNoExtension ?? false {
      return openFiles.open(PathKey(page)) { [self] result in
        guard case .success(let file) = result else { return writer.refuse(.notFound) }
        send(file, request, writer)
      }
    }
    guard let page = site.notFoundPage else { return writer.refuse(.notFound) }
    openFiles.open(PathKey(page)) { result in
      guard case .success(let file) = result else { return writer.refuse(.notFound) }
      FileResponse.sendPage(file, as: .notFound, writer)
    }
  }

  /// Accepts an upload if its conditions hold.
  private func receive(
    _ path: RequestPath, _ request: HTTPServer.Request, _ writer: HTTPServer.ResponseWriter
  ) {
    // A part must not replace the whole file (RFC 9110, section 14.5).
    guard request.headers["Content-Range"] == nil else { return writer.refuse(.badRequest) }
    // Without a length there is no body, which is hardly the purpose of a PUT.
    guard request.body.contentLength != 0 || request.headers.contains("Content-Length") else {
      return writer.refuse(.lengthRequired)
    }
    let conditions = Conditions(request.headers)
    guard conditions.concernWriting else {
      return upload(path, request, writer)
    }
    // A condition that keeps one writer from overwriting the work of another must not be checked
    // against a kept result.
    directory.openFile(path.path, .readOnly, options: .nonBlocking) { [self] result in
      var current: Conditions.Current?
      switch result {
      case .success(let file): current = Representation(OpenFile(file)).current
      case .failure(let error) where error.errno == .noSuchFileOrDirectory: break
      case .failure(let error): return refuse(writer, error)
      }
      guard conditions.outcome(current, isReading: false) == .proceed else {
        return writer.refuse(.preconditionFailed)
      }
      upload(path, request, writer)
    }
  }

  private func upload(
    _ path: RequestPath, _ request: HTTPServer.Request, _ writer: HTTPServer.ResponseWriter
  ) {
    Upload.begin(path, request.body, in: directory, writer, logger) { [openFiles] in
      openFiles.invalidate(path.key)
    }
  }

  private func sendIndexOrListing(
    _ path: RequestPath, _ request: HTTPServer.Request, _ writer: HTTPServer.ResponseWriter
  ) {
    openFiles.open(PathKey(path.appending("index.html"))) { [self] result in
      switch result {
      case .success(let file):
        send(file, request, writer)
      case .failure(let error)
      where error.errno == .noSuchFileOrDirectory || error.errno == .isDirectory:
        sendListing(path, request, writer)
      case .failure(let error):
        refuse(writer, error)
      }
    }
  }

  private func sendListing(
    _ path: RequestPath, _ request: HTTPServer.Request, _ writer: HTTPServer.ResponseWriter
  ) {
    guard site.listsDirectories else { return writer.refuse(.forbidden) }
    directory.openDirectory(path.path) { [self] result in
      switch result {
      case .failure(let error): refuse(writer, error)
      case .success(let listed):
        let listing = DirectoryListing(
          path: path.path, order: ListingOrder(query: request.query),
          allowsUploads: allowsUploads)
        ListingResponse.begin(listing, of: listed, request.method, in: listings, writer, logger)
      }
    }
  }

  private func send(
    _ file: OpenFile, _ request: HTTPServer.Request, _ writer: HTTPServer.ResponseWriter
  ) {
    let plain = Representation(file)
    let codings = codings(plain, request)
    guard !codings.isEmpty else { return FileResponse.begin(plain, request, writer) }
    sendPreferred(codings[...], plain, request, writer)
  }

  // MARK: - Precompressed files

  /// The forms that the client prefers to the plain file.
  private func codings(
    _ plain: Representation, _ request: HTTPServer.Request
  ) -> [ContentCoding] {
    guard plain.mediaType.isCompressible else { return [] }
    return AcceptedEncodings(request.headers.list("Accept-Encoding")).preferred
  }

  /// Sends the first of the forms that exists and suits the request, otherwise the plain file.
  private func sendPreferred(
    _ codings: ArraySlice<ContentCoding>, _ plain: Representation, _ request: HTTPServer.Request,
    _ writer: HTTPServer.ResponseWriter
  ) {
    guard let coding = codings.first else { return FileResponse.begin(plain, request, writer) }
    openSibling(of: plain.file, coding) { [self] sibling in
      let chosen = sibling.map { Representation($0, coding, of: plain.file) }
      guard let chosen, suits(chosen, request) else {
        return sendPreferred(codings.dropFirst(), plain, request, writer)
      }
      FileResponse.begin(chosen, request, writer)
    }
  }

  /// Opens `NAME.gz` or the like. Passes nil if it cannot be served, or if it is older than the
  /// file itself and so perhaps outdated.
  private func openSibling(
    of file: OpenFile, _ coding: ContentCoding, _ handler: @escaping (OpenFile?) -> Void
  ) {
    guard let name = file.path.lastComponent,
      let siblingName = FilePath.Component(name.string + coding.suffix),
      // File names need not be text, so check that the conversion kept the bytes.
      siblingName.bytes == name.bytes + Array(coding.suffix.utf8)
    else { return handler(nil) }
    openFiles.open(PathKey(file.path.removingLastComponent().appending(siblingName))) { result in
      guard case .success(let sibling) = result,
        !sibling.status.modified.isBefore(file.status.modified)
      else { return handler(nil) }
      handler(sibling)
    }
  }

  /// A range means the bytes of the plain file, unless `If-Range` names the compressed one, whose
  /// download it continues.
  private func suits(_ compressed: Representation, _ request: HTTPServer.Request) -> Bool {
    let isForRange = request.method == .get && request.headers["Range"] != nil
    return !isForRange || Conditions(request.headers).rangeNames(compressed.tag)
  }

  private func refuse(_ writer: HTTPServer.ResponseWriter, _ error: FileError) {
    let status = HTTPStatus(readingFailedWith: error.errno)
    if status == .internalServerError { logger.error("\(error)") }
    writer.refuse(status)
  }
}
