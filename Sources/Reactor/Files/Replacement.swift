internal import PosixAIO
internal import SystemPackage

/// Replaces a file: writes, syncs and publishes a temporary file, then syncs the directory.
@safe
final class Replacement: FileWork, @unchecked Sendable {
  private let path: FilePath
  private let content: MoveBox<IOBuffer>
  private let permissions: FilePermissions?
  private let handler: (Result<Void, FileError>) -> Void

  init(
    _ core: LoopCore, _ path: FilePath, _ buffer: consuming IOBuffer,
    _ permissions: FilePermissions?, _ handler: @escaping (Result<Void, FileError>) -> Void
  ) {
    self.path = path
    content = MoveBox(buffer)
    self.permissions = permissions
    self.handler = handler
    super.init(core)
  }

  func openedParent(_ result: Result<Directory, FileError>) {
    switch result {
    case .failure(let error): fail(error.operation, error.errno)
    case .success(let directory):
      guard !isCanceled else { return fail(.open, .canceled) }
      guard let name = path.lastComponent, name.kind == .regular else {
        return fail(.rename, .invalidArgument)
      }
      findPermissions(directory, name)
    }
  }

  private func findPermissions(_ directory: Directory, _ name: FilePath.Component) {
    if let permissions { return makeFile(directory, name, permissions) }
    directory.status(of: FilePath(root: nil, [name]), followingLinks: false) { [self] result in
      switch result {
      case .success(let status) where status.kind == .regular:
        makeFile(directory, name, status.permissions)
      case .success:
        makeFile(directory, name, nil)
      case .failure(let error) where error.errno == .noSuchFileOrDirectory:
        makeFile(directory, name, nil)
      case .failure(let error):
        fail(error.operation, error.errno)
      }
    }
  }

  /// - Parameter permissions: Nil for the default permissions of a new file.
  private func makeFile(
    _ directory: Directory, _ name: FilePath.Component, _ permissions: FilePermissions?
  ) {
    // Others must not open the file before it has its final permissions.
    let first = permissions == nil ? File.defaultPermissions : .ownerReadWrite
    directory.temporaryFile(permissions: first) { [self] result in
      switch result {
      case .success(let made):
        guard let permissions else { return write(made, directory, name) }
        step(made, .setPermissions) { next in
          made.file.setPermissions(permissions, next)
        } then: {
          self.write(made, directory, name)
        }
      case .failure(let error):
        fail(error.operation, error.errno)
      }
    }
  }

  private func write(
    _ made: TemporaryFile, _ directory: Directory, _ name: FilePath.Component
  ) {
    step(made, .write) { next in
      let request = made.file.write(self.content.take(), at: 0) { result, _ in
        next(result.map { _ in })
      }
      self.wait(for: request)
    } then: {
      self.sync(made, directory, name)
    }
  }

  private func sync(
    _ made: TemporaryFile, _ directory: Directory, _ name: FilePath.Component
  ) {
    step(made, .sync) { next in
      self.wait(for: made.file.sync(next))
    } then: {
      self.publish(made, directory, name)
    }
  }

  private func publish(
    _ made: TemporaryFile, _ directory: Directory, _ name: FilePath.Component
  ) {
    commit()
    step(made, .rename) { next in
      made.publish(as: name) { next($0.map { _ in }) }
    } then: {
      // The file is in place and synced, so an error of closing it does not matter.
      made.file.close { _ in self.syncDirectory(directory) }
    }
  }

  private func syncDirectory(_ directory: Directory) {
    directory.sync { [self] result in
      withExtendedLifetime(directory) { handler(result) }
    }
  }

  /// Runs one step, then continues with the next or gives up.
  private func step(
    _ made: TemporaryFile, _ operation: FileError.Operation,
    _ start: (@escaping (Result<Void, FileError>) -> Void) -> Void,
    then next: @escaping () -> Void
  ) {
    if isCanceled { return giveUp(made, operation, .canceled) }
    start { result in
      self.wait(for: nil)
      switch result {
      case .success: next()
      case .failure(let error): self.giveUp(made, error.operation, error.errno)
      }
    }
  }

  private func giveUp(
    _ made: TemporaryFile, _ operation: FileError.Operation, _ errno: Errno
  ) {
    commit()
    // The first error is reported.
    made.discard { [self] _ in fail(operation, errno) }
  }

  /// Reports the path of the file to be replaced, whatever path the failed step used. The temporary
  /// file is removed.
  private func fail(_ operation: FileError.Operation, _ errno: Errno) {
    handler(.failure(FileError(operation: operation, path: path, errno: errno)))
  }
}
