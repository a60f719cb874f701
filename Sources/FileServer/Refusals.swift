import Reactor
import ReactorHTTP
import SystemPackage

extension HTTPServer.ResponseWriter {
  /// Answers with a status and its name as text.
  func refuse(_ status: HTTPStatus, headers: HeaderFields = [:]) {
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
