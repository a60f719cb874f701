import Logging
import PosixAIO
import Reactor
import ReactorHTTP
import SystemPackage

/// Answers requests with the files of a folder.
final class FileServer {
  private let folder: Directory
  private let logger: Logger
  private let allowsUploads: Bool
  private let server: HTTPServer

  /// - Parameters:
  ///   - maximumUploadByteCount: Nil does not allow uploads.
  init(folder: Directory, maximumUploadByteCount: Int?, logger: Logger) {
    self.folder = folder
    self.logger = logger
    allowsUploads = maximumUploadByteCount != nil
    var configuration = HTTPServer.Configuration()
    if let maximumUploadByteCount { configuration.maximumBodyByteCount = maximumUploadByteCount }
    let answerer = Answerer()
    server = HTTPServer(loop: folder.loop, configuration: configuration) { request, responder in
      answerer.server?.answer(request, responder)
    }
    answerer.server = self
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
    server.shutDown(whenIdle)
  }

  private func answer(_ request: HTTPRequest, _ responder: HTTPResponder) {
    switch request.method {
    case .get, .head:
      guard let path = RequestPath(request.path) else { return responder.refuse(.notFound) }
      sendFile(path, request, responder)
    case .put where allowsUploads:
      guard let path = RequestPath(request.path) else { return responder.refuse(.notFound) }
      Upload.begin(path, request.body, in: folder, responder, logger)
    default:
      let methods = allowsUploads ? "GET, HEAD, PUT" : "GET, HEAD"
      responder.refuse(.methodNotAllowed, headers: ["Allow": methods])
    }
  }

  private func sendFile(
    _ path: RequestPath, _ request: HTTPRequest, _ responder: HTTPResponder
  ) {
    open(path.path) { [self] result in
      switch result {
      case .failure(let error):
        refuse(responder, error)
      case .success(let file) where file.openingStatus.kind == .directory:
        file.close()
        guard path.endsInSlash else {
          return responder.refuse(
            .movedPermanently, headers: ["Location": path.folderTarget])
        }
        sendFolder(path, request, responder)
      case .success(let file):
        guard !path.endsInSlash else {
          file.close()
          return responder.refuse(.notFound)
        }
        send(file, request, responder)
      }
    }
  }

  private func sendFolder(
    _ path: RequestPath, _ request: HTTPRequest, _ responder: HTTPResponder
  ) {
    open(path.appending("index.html")) { [self] result in
      switch result {
      case .success(let file):
        send(file, request, responder)
      case .failure(let error) where error.errno == .noSuchFileOrDirectory:
        sendListing(path, responder)
      case .failure(let error):
        refuse(responder, error)
      }
    }
  }

  private func sendListing(_ path: RequestPath, _ responder: HTTPResponder) {
    folder.openDirectory(path.path) { [self] result in
      switch result {
      case .failure(let error): refuse(responder, error)
      case .success(let listed): sendListing(of: listed, path, responder)
      }
    }
  }

  private func sendListing(
    of listed: Directory, _ path: RequestPath, _ responder: HTTPResponder
  ) {
    listed.list { [self] result in
      switch result {
      case .failure(let error):
        refuse(responder, error)
      case .success(let entries):
        responder.send(
          .ok, headers: ["Content-Type": "text/html; charset=utf-8"],
          body: FolderListing.page(title: path.path.string, entries).utf8)
      }
    }
  }

  private func send(_ file: File, _ request: HTTPRequest, _ responder: HTTPResponder) {
    guard file.openingStatus.kind == .regular else {
      // A device or a pipe may have no end.
      file.close()
      return responder.refuse(.forbidden)
    }
    FileAnswer.begin(file, isHead: request.method == .head, responder, logger)
  }

  /// Opens without waiting for the other end, should the name be a pipe's.
  private func open(
    _ path: FilePath, _ handler: @escaping (Result<File, FileError>) -> Void
  ) {
    folder.openFile(path, .readOnly, options: .nonBlocking, handler)
  }

  private func refuse(_ responder: HTTPResponder, _ error: FileError) {
    let status = HTTPStatus(readingFailedWith: error.errno)
    if status == .internalServerError { logger.error("\(error)") }
    responder.refuse(status)
  }
}

extension HTTPResponder {
  /// Answers with a status and its name as text.
  func refuse(_ status: HTTPStatus, headers: HTTPFields = [:]) {
    var headers = headers
    headers["Content-Type"] = "text/plain; charset=utf-8"
    send(status, headers: headers, body: "\(status.reason)\n".utf8)
  }
}

extension HTTPStatus {
  /// What a client is told when a file could not be opened or read. A path that leads out of the
  /// root names nothing.
  init(readingFailedWith errno: Errno) {
    self =
      switch errno {
      case .noSuchFileOrDirectory, .notDirectory, .improperLink, .tooManySymbolicLinkLevels,
        .fileNameTooLong, .noSuchAddressOrDevice:
        .notFound
      case .permissionDenied, .notPermitted: .forbidden
      case .tooManyOpenFiles, .tooManyOpenFilesInSystem, .resourceTemporarilyUnavailable:
        .serviceUnavailable
      default: .internalServerError
      }
  }

  /// What a client is told when an upload failed.
  init(writingFailedWith errno: Errno) {
    self =
      switch errno {
      case .noSpace, .diskQuotaExceeded: .insufficientStorage
      case .fileTooLarge: .contentTooLarge
      case .isDirectory, .noSuchFileOrDirectory, .notDirectory: .conflict
      case .readOnlyFileSystem: .forbidden
      default: HTTPStatus(readingFailedWith: errno)
      }
  }
}
