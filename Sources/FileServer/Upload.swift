import Logging
import PosixAIO
import Reactor
import ReactorHTTP
import SystemPackage

/// Writes the body of a request to a file that appears complete or not at all.
///
/// The bytes go to a temporary file in the directory of the target and are synced. Then the file
/// gets the mode, owner and name of the file that it replaces, as far as the process may set them,
/// and the directory is synced, so an acknowledged upload survives a power failure.
final class Upload {
  /// A hundred concurrent uploads use no more than about 20 MiB.
  private static let writing = {
    var configuration = FileWriter.Configuration()
    configuration.chunkByteCount = 64 * 1024
    configuration.bufferByteCount = 128 * 1024
    return configuration
  }()

  private let directory: Directory
  private let name: FilePath.Component
  private let body: HTTPServer.RequestBody
  private let writer: HTTPServer.ResponseWriter
  private let logger: Logger
  private let whenPublished: () -> Void

  /// - Parameters:
  ///   - path: The path of the target; its directory must exist.
  ///   - root: The root directory.
  ///   - whenPublished: Called when the new file has its name, before the client gets its response.
  static func begin(
    _ path: RequestPath, _ body: HTTPServer.RequestBody, in root: Directory,
    _ writer: HTTPServer.ResponseWriter, _ logger: Logger, whenPublished: @escaping () -> Void
  ) {
    guard !path.endsInSlash, path.path != ".", let name = path.path.lastComponent else {
      return writer.refuse(.conflict)
    }
    let parent = path.path.removingLastComponent()
    root.openDirectory(parent.isEmpty ? "." : parent) { result in
      switch result {
      case .success(let directory):
        Upload(directory, name, body, writer, logger, whenPublished).createFile()
      case .failure(let error):
        writer.refuse(HTTPStatus(writingFailedWith: error.errno))
      }
    }
  }

  private init(
    _ directory: Directory, _ name: FilePath.Component, _ body: HTTPServer.RequestBody,
    _ writer: HTTPServer.ResponseWriter, _ logger: Logger, _ whenPublished: @escaping () -> Void
  ) {
    self.directory = directory
    self.name = name
    self.body = body
    self.writer = writer
    self.logger = logger
    self.whenPublished = whenPublished
  }

  private func createFile() {
    directory.temporaryFile { [self] result in
      switch result {
      case .success(let file): receive(into: file)
      case .failure(let error): refuse(error)
      }
    }
  }

  /// Writes the body as it arrives, and syncs it at the end.
  private func receive(into target: TemporaryFile) {
    body.write(to: target.file, durably: true, configuration: Self.writing) { [self] result in
      guard case .failure(let error) = result else { return replace(with: target) }
      if case .file(let error) = error.reason { return abandon(target, error) }
      discard(target)
    }
  }

  /// Publishes the file, with the access of the regular file that it replaces, if it does.
  private func replace(with target: TemporaryFile) {
    directory.status(of: FilePath(root: nil, [name]), followingLinks: false) { [self] result in
      switch result {
      case .success(let replaced) where replaced.kind == .regular:
        target.file.takeAccess(of: replaced) { [self] result in
          switch result {
          case .success: publish(target)
          case .failure(let error): abandon(target, error)
          }
        }
      case .failure(let error) where error.errno != .noSuchFileOrDirectory:
        abandon(target, error)
      case .success, .failure: publish(target)
      }
    }
  }

  private func publish(_ target: TemporaryFile) {
    target.publish(as: name) { [self] result in
      switch result {
      case .success(let replaced):
        whenPublished()
        readTag(target.file, replaced: replaced)
      case .failure(let error): abandon(target, error)
      }
    }
  }

  /// The tag lets the client replace the file again, if it is still its own.
  private func readTag(_ file: File, replaced: Bool) {
    file.status { [self] result in
      let status = try? result.get()
      close(file, replaced: replaced, tag: status.map { EntityTag($0) })
    }
  }

  private func close(_ file: File, replaced: Bool, tag: EntityTag?) {
    file.close { [self] result in
      switch result {
      case .success: syncDirectory(replaced: replaced, tag: tag)
      case .failure(let error): refuse(error)
      }
    }
  }

  private func syncDirectory(replaced: Bool, tag: EntityTag?) {
    directory.sync { [self] result in
      switch result {
      case .success:
        let headers: HeaderFields = tag.map { ["ETag": $0.description] } ?? [:]
        writer.send(replaced ? .noContent : .created, headers: headers)
      case .failure(let error): refuse(error)
      }
    }
  }

  // MARK: - Failures

  private func abandon(_ target: TemporaryFile, _ error: FileError) {
    discard(target) { [self] in refuse(error) }
  }

  /// The body is incomplete.
  private func discard(_ target: TemporaryFile) {
    discard(target) { [self] in
      let status = body.failure?.status ?? .badRequest
      writer.refuse(status)
    }
  }

  private func discard(_ target: TemporaryFile, _ whenDiscarded: @escaping () -> Void) {
    target.discard { [logger] result in
      if case .failure(let error) = result {
        logger.error("an upload left a temporary file: \(error)")
      }
      whenDiscarded()
    }
  }

  private func refuse(_ error: FileError) {
    logger.error("an upload of \"\(LogLine.escaped(name.string))\" failed: \(error)")
    writer.refuse(HTTPStatus(writingFailedWith: error.errno))
  }
}
