#if NIO
  public import NIOCore
  public import PosixAIO
  public import SystemPackage

  /// Calls on names.
  extension LoopFileNamespace {
    /// Returns the metadata of a file. Wraps `fstatat(2)`.
    ///
    /// - Parameters:
    ///   - path: Of the file.
    ///   - followingSymbolicLinks: Whether to follow a symbolic link at the end of the path.
    /// - Returns: A future of the metadata; it fails with `ENOENT` if the path does not exist.
    public func info(forFileAt path: FilePath, followingSymbolicLinks: Bool = true)
      -> EventLoopFuture<FileStatus>
    {
      scope.future(FileCall(.status, path), scope.readingInfo(path, followingSymbolicLinks))
    }

    /// Returns the metadata of a file. Wraps `fstatat(2)`.
    ///
    /// - Parameters:
    ///   - path: Of the file.
    ///   - followingSymbolicLinks: Whether to follow a symbolic link at the end of the path.
    /// - Returns: The metadata.
    /// - Throws: `ENOENT` if the path does not exist.
    nonisolated(nonsending) public func info(
      forFileAt path: FilePath, followingSymbolicLinks: Bool = true
    ) async throws(FileError) -> FileStatus {
      try await scope.outcome(
        FileCall(.status, path), scope.readingInfo(path, followingSymbolicLinks))
    }

    /// Renames a file or directory atomically. Wraps `renameat2(2)`.
    ///
    /// - Parameters:
    ///   - path: The old name.
    ///   - newPath: The new name, on the same file system.
    ///   - replacing: Whether to replace an existing file with the new name. If false, the call
    ///     fails with `EEXIST` if the name exists, and with `EINVAL` on the few file systems that
    ///     cannot check this.
    /// - Returns: A future of whether an existing name was replaced; it fails with the error of
    ///   `rename(2)`.
    public func moveItem(at path: FilePath, to newPath: FilePath, replacing: Bool = true)
      -> EventLoopFuture<Bool>
    {
      scope.future(FileCall(.rename, path, to: newPath), scope.moving(path, newPath, replacing))
    }

    /// Renames a file or directory atomically. Wraps `renameat2(2)`.
    ///
    /// - Parameters:
    ///   - path: The old name.
    ///   - newPath: The new name, on the same file system.
    ///   - replacing: Whether to replace an existing file with the new name. If false, the call
    ///     fails with `EEXIST` if the name exists, and with `EINVAL` on the few file systems that
    ///     cannot check this.
    /// - Returns: Whether an existing name was replaced.
    /// - Throws: The error of `rename(2)`.
    @discardableResult
    nonisolated(nonsending) public func moveItem(
      at path: FilePath, to newPath: FilePath, replacing: Bool = true
    ) async throws(FileError) -> Bool {
      try await scope.outcome(
        FileCall(.rename, path, to: newPath), scope.moving(path, newPath, replacing))
    }

    /// Removes a file's name, of a symbolic link the link itself. Wraps `unlinkat(2)`.
    ///
    /// - Parameter path: Of a file that is no directory.
    /// - Returns: A future; it fails with `ENOENT` if the name does not exist, `EISDIR` for a
    ///   directory.
    public func removeItem(at path: FilePath) -> EventLoopFuture<Void> {
      scope.future(FileCall(.remove, path), scope.removing(path, isDirectory: false))
    }

    /// Removes a file's name, of a symbolic link the link itself. Wraps `unlinkat(2)`.
    ///
    /// - Parameter path: Of a file that is no directory.
    /// - Throws: `ENOENT` if the name does not exist, `EISDIR` for a directory.
    nonisolated(nonsending) public func removeItem(
      at path: FilePath
    ) async throws(FileError) {
      try await scope.outcome(FileCall(.remove, path), scope.removing(path, isDirectory: false))
    }

    /// Removes an empty directory. Wraps `unlinkat(2)` with `AT_REMOVEDIR`.
    ///
    /// - Parameter path: Of the directory.
    /// - Returns: A future; it fails with `ENOTEMPTY` if it is not empty.
    public func removeDirectory(at path: FilePath) -> EventLoopFuture<Void> {
      scope.future(FileCall(.remove, path), scope.removing(path, isDirectory: true))
    }

    /// Removes an empty directory. Wraps `unlinkat(2)` with `AT_REMOVEDIR`.
    ///
    /// - Parameter path: Of the directory.
    /// - Throws: `ENOTEMPTY` if it is not empty.
    nonisolated(nonsending) public func removeDirectory(
      at path: FilePath
    ) async throws(FileError) {
      try await scope.outcome(FileCall(.remove, path), scope.removing(path, isDirectory: true))
    }

    /// Creates a directory. Its parent must exist. Wraps `mkdirat(2)`.
    ///
    /// - Parameters:
    ///   - path: Of the directory.
    ///   - permissions: Reduced by the process's umask.
    /// - Returns: A future; it fails with `EEXIST` if the name exists.
    public func createDirectory(
      at path: FilePath, permissions: FilePermissions = LoopDirectory.defaultPermissions
    ) -> EventLoopFuture<Void> {
      scope.future(FileCall(.createDirectory, path), scope.creatingDirectory(path, permissions))
    }

    /// Creates a directory. Its parent must exist. Wraps `mkdirat(2)`.
    ///
    /// - Parameters:
    ///   - path: Of the directory.
    ///   - permissions: Reduced by the process's umask.
    /// - Throws: `EEXIST` if the name exists.
    nonisolated(nonsending) public func createDirectory(
      at path: FilePath, permissions: FilePermissions = LoopDirectory.defaultPermissions
    ) async throws(FileError) {
      try await scope.outcome(
        FileCall(.createDirectory, path), scope.creatingDirectory(path, permissions))
    }

    /// Creates a symbolic link. Wraps `symlinkat(2)`.
    ///
    /// - Parameters:
    ///   - path: Of the link.
    ///   - target: Any path, relative to the link's directory.
    /// - Returns: A future; it fails with `EEXIST` if the name exists.
    public func createSymbolicLink(at path: FilePath, withDestination target: FilePath)
      -> EventLoopFuture<Void>
    {
      scope.future(
        FileCall(.createSymbolicLink, path, to: target), scope.creatingSymbolicLink(path, target))
    }

    /// Creates a symbolic link. Wraps `symlinkat(2)`.
    ///
    /// - Parameters:
    ///   - path: Of the link.
    ///   - target: Any path, relative to the link's directory.
    /// - Throws: `EEXIST` if the name exists.
    nonisolated(nonsending) public func createSymbolicLink(
      at path: FilePath, withDestination target: FilePath
    ) async throws(FileError) {
      try await scope.outcome(
        FileCall(.createSymbolicLink, path, to: target), scope.creatingSymbolicLink(path, target))
    }

    /// Reads the target of a symbolic link. Wraps `readlinkat(2)`.
    ///
    /// - Parameter path: Of the link.
    /// - Returns: A future of the target as it is stored in the link; it fails with `EINVAL` if the
    ///   path is no symbolic link.
    public func destinationOfSymbolicLink(at path: FilePath) -> EventLoopFuture<FilePath> {
      scope.future(FileCall(.readSymbolicLink, path), scope.readingSymbolicLink(path))
    }

    /// Reads the target of a symbolic link. Wraps `readlinkat(2)`.
    ///
    /// - Parameter path: Of the link.
    /// - Returns: The target as it is stored in the link.
    /// - Throws: `EINVAL` if the path is no symbolic link.
    nonisolated(nonsending) public func destinationOfSymbolicLink(
      at path: FilePath
    ) async throws(FileError) -> FilePath {
      try await scope.outcome(FileCall(.readSymbolicLink, path), scope.readingSymbolicLink(path))
    }

    /// Creates a hard link. Wraps `linkat(2)`; a symbolic link is not followed.
    ///
    /// - Parameters:
    ///   - path: The new name.
    ///   - existingPath: The file.
    /// - Returns: A future; it fails with `EEXIST` if the new name exists.
    public func createHardLink(at path: FilePath, to existingPath: FilePath) -> EventLoopFuture<
      Void
    > {
      scope.future(FileCall(.link, existingPath, to: path), scope.linking(existingPath, path))
    }

    /// Creates a hard link. Wraps `linkat(2)`; a symbolic link is not followed.
    ///
    /// - Parameters:
    ///   - path: The new name.
    ///   - existingPath: The file.
    /// - Throws: `EEXIST` if the new name exists.
    nonisolated(nonsending) public func createHardLink(
      at path: FilePath, to existingPath: FilePath
    ) async throws(FileError) {
      try await scope.outcome(
        FileCall(.link, existingPath, to: path), scope.linking(existingPath, path))
    }
  }

  /// One call on the thread pool each.
  extension LoopFileScope {
    fileprivate typealias Start<Value> = @Sendable (LoopQueue, @escaping Completion<Value>) -> Void

    fileprivate func readingInfo(_ path: FilePath, _ followsLinks: Bool) -> Start<FileStatus> {
      onPool(FileCall(.status, path)) { () throws(FileError) in
        try FileSystemCalls.status(of: anchor(path), followingLinks: followsLinks)
      }
    }

    fileprivate func moving(
      _ path: FilePath, _ newPath: FilePath, _ replacing: Bool
    ) -> Start<Bool> {
      onPool(FileCall(.rename, path, to: newPath)) { () throws(FileError) in
        try FileSystemCalls.rename(anchor(path), to: anchor(newPath), replacing: replacing)
      }
    }

    fileprivate func removing(_ path: FilePath, isDirectory: Bool) -> Start<Void> {
      onPool(FileCall(.remove, path)) { () throws(FileError) in
        try FileSystemCalls.remove(anchor(path), isDirectory: isDirectory)
      }
    }

    fileprivate func creatingDirectory(
      _ path: FilePath, _ permissions: FilePermissions
    ) -> Start<Void> {
      onPool(FileCall(.createDirectory, path)) { () throws(FileError) in
        try FileSystemCalls.createDirectory(anchor(path), permissions: permissions)
      }
    }

    fileprivate func creatingSymbolicLink(_ path: FilePath, _ target: FilePath) -> Start<Void> {
      onPool(FileCall(.createSymbolicLink, path, to: target)) { () throws(FileError) in
        try FileSystemCalls.createSymbolicLink(anchor(path), to: target)
      }
    }

    fileprivate func readingSymbolicLink(_ path: FilePath) -> Start<FilePath> {
      onPool(FileCall(.readSymbolicLink, path)) { () throws(FileError) in
        try FileSystemCalls.readSymbolicLink(anchor(path))
      }
    }

    fileprivate func linking(_ path: FilePath, _ newPath: FilePath) -> Start<Void> {
      onPool(FileCall(.link, path, to: newPath)) { () throws(FileError) in
        try FileSystemCalls.link(anchor(path), to: anchor(newPath))
      }
    }
  }
#endif
