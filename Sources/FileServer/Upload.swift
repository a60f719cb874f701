import Logging
import PosixAIO
import Reactor
import ReactorHTTP
import SystemPackage

/// Writes the body of a request to a file that appears whole or not at all.
///
/// The bytes go to a temporary file in the target's folder and are synced; then the file gets its
/// name, and the folder is synced, so that what was acknowledged survives a power cut.
final class Upload {
  /// A hundred uploads at once take no more than some 20 MiB.
  private static let writing = {
    var configuration = FileWriter.Configuration()
    configuration.chunkByteCount = 64 * 1024
    configuration.bufferByteCount = 128 * 1024
    return configuration
  }()

  private let folder: Directory
  private let name: FilePath.Component
  private let body: HTTPServer.RequestBody
  private let responder: HTTPServer.ResponseWriter
  private let logger: Logger
  private let whenPublished: () -> Void

  /// - Parameters:
  ///   - path: Of the target; its folder must exist.
  ///   - root: The folder below which the target is.
  ///   - whenPublished: Called when the target is the new file, before the client is told.
  static func begin(
    _ path: RequestPath, _ body: HTTPServer.RequestBody, in root: Directory,
    _ responder: HTTPServer.ResponseWriter, _ logger: Logger, whenPublished: @escaping () -> Void
  ) {
    guard !path.endsInSlash, path.path != ".", let name = path.path.lastComponent else {
      return responder.refuse(.conflict)
    }
    let parent = path.path.removingLastComponent()
    root.openDirectory(parent.isEmpty ? "." : parent) { result in
      switch result {
      case .success(let folder):
        Upload(folder, name, body, responder, logger, whenPublished).createFile()
      case .failure(let error):
        responder.refuse(HTTPStatus(writingFailedWith: error.errno))
      }
    }
  }

  private init(
    _ folder: Directory, _ name: FilePath.Component, _ body: HTTPServer.RequestBody,
    _ responder: HTTPServer.ResponseWriter, _ logger: Logger, _ whenPublished: @escaping () -> Void
  ) {
    self.folder = folder
    self.name = name
    self.body = body
    self.responder = responder
    self.logger = logger
    self.whenPublished = whenPublished
  }

  private func createFile() {
    folder.temporaryFile { [self] result in
      switch result {
      case .success(let file): receive(into: file)
      case .failure(let error): refuse(error)
      }
    }
  }

  /// Writes what arrives, as it arrives, and has it on the disk in the end.
  private func receive(into target: TemporaryFile) {
    body.write(to: target.file, durably: true, configuration: Self.writing) { [self] result in
      guard case .failure(let error) = result else { return publish(target) }
      if case .file(let error) = error.reason { return abandon(target, error) }
      discard(target)
    }
  }

  private func publish(_ target: TemporaryFile) {
    target.publish(as: name) { [self] result in
      switch result {
      case .success(let replaced):
        whenPublished()
        close(target.file, replaced: replaced)
      case .failure(let error): abandon(target, error)
      }
    }
  }

  private func close(_ file: File, replaced: Bool) {
    file.close { [self] result in
      switch result {
      case .success: syncFolder(replaced: replaced)
      case .failure(let error): refuse(error)
      }
    }
  }

  private func syncFolder(replaced: Bool) {
    folder.sync { [self] result in
      switch result {
      case .success: responder.send(replaced ? .noContent : .created)
      case .failure(let error): refuse(error)
      }
    }
  }

  // MARK: - Failures

  private func abandon(_ target: TemporaryFile, _ error: FileError) {
    discard(target) { [self] in refuse(error) }
  }

  /// The body is not whole.
  private func discard(_ target: TemporaryFile) {
    discard(target) { [self] in
      let status = body.failure?.status ?? .badRequest
      responder.refuse(status)
    }
  }

  private func discard(_ target: TemporaryFile, _ whenDiscarded: @escaping () -> Void) {
    target.discard { [logger] result in
      if case .failure(let error) = result {
        logger.error("an upload left a file behind: \(error)")
      }
      whenDiscarded()
    }
  }

  private func refuse(_ error: FileError) {
    logger.error("an upload of \"\(name.string)\" failed: \(error)")
    responder.refuse(HTTPStatus(writingFailedWith: error.errno))
  }
}
