import Logging
import PosixAIO
import Reactor
import ReactorHTTP
import SystemPackage

/// Writes the body of a request to a file that appears whole or not at all.
///
/// The bytes go to a temporary file beside the target and are synced; then the file gets its name,
/// and the folder is synced, so that what was acknowledged survives a power cut.
final class Upload {
  private static let pieceByteCount = 256 * 1024
  private static let permissions: FilePermissions = [
    .ownerReadWrite, .groupRead, .otherRead,
  ]

  private let folder: Directory
  private let name: FilePath.Component
  private let temporaryName: FilePath.Component
  private let body: HTTPBody
  private let responder: HTTPResponder
  private let logger: Logger
  private var offset: Int64 = 0

  /// - Parameters:
  ///   - path: Of the target; its folder must exist.
  ///   - root: The folder below which the target is.
  static func begin(
    _ path: RequestPath, _ body: HTTPBody, in root: Directory, _ responder: HTTPResponder,
    _ logger: Logger
  ) {
    guard !path.endsInSlash, path.path != ".", let name = path.path.lastComponent else {
      return responder.refuse(.conflict)
    }
    let parent = path.path.removingLastComponent()
    root.openDirectory(parent.isEmpty ? "." : parent) { result in
      switch result {
      case .success(let folder):
        Upload(folder, name, body, responder, logger).createFile()
      case .failure(let error):
        responder.refuse(HTTPStatus(writingFailedWith: error.errno))
      }
    }
  }

  private init(
    _ folder: Directory, _ name: FilePath.Component, _ body: HTTPBody, _ responder: HTTPResponder,
    _ logger: Logger
  ) {
    self.folder = folder
    self.name = name
    self.body = body
    self.responder = responder
    self.logger = logger
    // Hidden from listings, and different for every upload.
    temporaryName = Self.component(".upload-" + String(UInt64.random(in: .min ... .max), radix: 16))
  }

  private static func component(_ name: String) -> FilePath.Component {
    guard let component = FilePath.Component(name) else {
      preconditionFailure("Upload: a name without a slash is a path component")
    }
    return component
  }

  private func createFile() {
    folder.openFile(
      FilePath(temporaryName.string), .writeOnly, options: [.create, .exclusiveCreate],
      permissions: Self.permissions
    ) { [self] result in
      switch result {
      case .success(let file): writeNext(to: file, IOBuffer(capacity: Self.pieceByteCount))
      case .failure(let error): refuse(error)
      }
    }
  }

  private func writeNext(to file: File, _ buffer: consuming IOBuffer) {
    buffer.removeAll()
    guard body.read(into: &buffer) > 0 else { return sync(file) }
    do throws(Errno) {
      try file.write(buffer, at: offset) { [self] result, buffer in
        switch result {
        case .success(let count):
          offset += Int64(count)
          writeNext(to: file, buffer)
        case .failure(let error):
          abandon(file, error)
        }
      }
    } catch {
      abandon(file, FileError(operation: .write, path: file.path, errno: error))
    }
  }

  private func sync(_ file: File) {
    do throws(Errno) {
      try file.sync { [self] result in
        switch result {
        case .success: close(file)
        case .failure(let error): abandon(file, error)
        }
      }
    } catch {
      abandon(file, FileError(operation: .sync, path: file.path, errno: error))
    }
  }

  private func close(_ file: File) {
    file.close { [self] result in
      switch result {
      case .success: rename()
      case .failure(let error): removeTemporaryFile(error)
      }
    }
  }

  private func rename() {
    folder.rename(temporaryName, to: name) { [self] result in
      switch result {
      case .success(let replaced): syncFolder(replaced: replaced)
      case .failure(let error): removeTemporaryFile(error)
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

  private func abandon(_ file: File, _ error: FileError) {
    file.close { [self] _ in removeTemporaryFile(error) }
  }

  private func removeTemporaryFile(_ error: FileError) {
    folder.remove(temporaryName) { [self] result in
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
