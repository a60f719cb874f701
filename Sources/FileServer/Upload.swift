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
  private static let pieceByteCount = 256 * 1024
  private static let permissions: FilePermissions = [
    .ownerReadWrite, .groupRead, .otherRead,
  ]

  private let folder: Directory
  private let name: FilePath.Component
  private let body: HTTPBody
  private let responder: HTTPResponder
  private let logger: Logger
  private let whenPublished: () -> Void
  private var offset: Int64 = 0

  /// - Parameters:
  ///   - path: Of the target; its folder must exist.
  ///   - root: The folder below which the target is.
  ///   - whenPublished: Called when the target is the new file, before the client is told.
  static func begin(
    _ path: RequestPath, _ body: HTTPBody, in root: Directory, _ responder: HTTPResponder,
    _ logger: Logger, whenPublished: @escaping () -> Void
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
    _ folder: Directory, _ name: FilePath.Component, _ body: HTTPBody, _ responder: HTTPResponder,
    _ logger: Logger, _ whenPublished: @escaping () -> Void
  ) {
    self.folder = folder
    self.name = name
    self.body = body
    self.responder = responder
    self.logger = logger
    self.whenPublished = whenPublished
  }

  private func createFile() {
    folder.temporaryFile(permissions: Self.permissions) { [self] result in
      switch result {
      case .success(let file): writeNext(to: file, IOBuffer(capacity: Self.pieceByteCount))
      case .failure(let error): refuse(error)
      }
    }
  }

  private func writeNext(to target: TemporaryFile, _ buffer: consuming IOBuffer) {
    buffer.removeAll()
    guard body.read(into: &buffer) > 0 else { return sync(target) }
    do throws(Errno) {
      try target.file.write(buffer, at: offset) { [self] result, buffer in
        switch result {
        case .success(let count):
          offset += Int64(count)
          writeNext(to: target, buffer)
        case .failure(let error):
          abandon(target, error)
        }
      }
    } catch {
      abandon(target, FileError(operation: .write, path: target.file.path, errno: error))
    }
  }

  private func sync(_ target: TemporaryFile) {
    do throws(Errno) {
      try target.file.sync { [self] result in
        switch result {
        case .success: publish(target)
        case .failure(let error): abandon(target, error)
        }
      }
    } catch {
      abandon(target, FileError(operation: .sync, path: target.file.path, errno: error))
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
    do throws(Errno) {
      try folder.sync { [self] result in
        switch result {
        case .success: responder.send(replaced ? .noContent : .created)
        case .failure(let error): refuse(error)
        }
      }
    } catch {
      refuse(FileError(operation: .sync, path: folder.path, errno: error))
    }
  }

  // MARK: - Failures

  private func abandon(_ target: TemporaryFile, _ error: FileError) {
    target.discard { [self] result in
      if case .failure(let error) = result {
        logger.error("an upload left a file behind: \(error)")
      }
      refuse(error)
    }
  }

  private func refuse(_ error: FileError) {
    logger.error("an upload of \"\(name.string)\" failed: \(error)")
    responder.refuse(HTTPStatus(writingFailedWith: error.errno))
  }
}
