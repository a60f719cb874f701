import Reactor
import ReactorHTTP
import SystemPackage

extension HTTPServer.ResponseWriter {
  /// Responds with a status and its reason as text.
  func refuse(_ status: HTTPStatus, headers: HeaderFields = [:]) {
    var headers = headers
    headers["Content-Type"] = "text/plain; charset=utf-8"
    send(status, headers: headers, body: "\(status.reason)\n".utf8)
  }
}

extension HTTPStatus {
  /// The request is for another host.
  static let misdirectedRequest = HTTPStatus(421, "Misdirected Request")

  /// The status for a file that could not be opened or read. A path that leads out of the root does
  /// not exist for clients.
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

  /// The status for a failed upload.
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
