public import PosixAIO
public import SystemPackage

/// Calls on names below a directory. Each path is relative to it and cannot lead out of it. Each
/// call runs on a helper thread.
extension Directory {
  /// The default permissions of new directories: 0777, reduced by the process's umask, as for
  /// `mkdir(1)`.
  public static let defaultPermissions = FilePermissions(rawValue: 0o777)

  /// The default limit of entries for ``list(maximumCount:_:)``.
  public static let defaultListLimit = 100_000

  /// Returns the metadata of a path. Wraps `fstat(2)` after `openat2(2)`.
  ///
  /// - Parameters:
  ///   - path: Relative to this directory; `.` is the directory itself.
  ///   - followingLinks: Whether to follow a symbolic link at the end of the path.
  ///   - handler: Receives the metadata.
  public func status(
    of path: FilePath, followingLinks: Bool = true,
    _ handler: @escaping (Result<FileStatus, FileError>) -> Void
  ) {
    offload(
      as: .status, path,
      { (directory) throws(FileError) in
        try FileSystemCalls.status(
          of: .beneath(directory, path), followingLinks: followingLinks)
      }, handler)
  }

  /// Renames a file or directory atomically. Wraps `renameat2(2)`.
  ///
  /// - Parameters:
  ///   - path: Relative to this directory.
  ///   - newPath: Relative to this directory.
  ///   - replacing: Whether to replace an existing file with the new name. If false, the call fails
  ///     with `EEXIST` if the name exists, and with `EINVAL` on the few file systems that cannot
  ///     check this.
  ///   - handler: Receives whether an existing name was replaced.
  public func rename(
    _ path: FilePath, to newPath: FilePath, replacing: Bool = true,
    _ handler: @escaping (Result<Bool, FileError>) -> Void
  ) {
    offload(
      as: .rename, path,
      { (directory) throws(FileError) in
        try FileSystemCalls.rename(
          .beneath(directory, path), to: .beneath(directory, newPath), replacing: replacing)
      }, handler)
  }

  /// Removes a file's name. Removes a symbolic link itself, not its target. Wraps `unlinkat(2)`.
  ///
  /// - Parameters:
  ///   - path: Relative to this directory.
  ///   - handler: Receives the result: `ENOENT` if the name does not exist, `EISDIR` if it is a
  ///     directory.
  public func remove(
    _ path: FilePath, _ handler: @escaping (Result<Void, FileError>) -> Void = { _ in }
  ) {
    offload(
      as: .remove, path,
      { (directory) throws(FileError) in
        try FileSystemCalls.remove(.beneath(directory, path))
      }, handler)
  }

  /// Removes an empty directory. Wraps `unlinkat(2)` with `AT_REMOVEDIR`.
  ///
  /// - Parameters:
  ///   - path: Relative to this directory.
  ///   - handler: Receives the result: `ENOTEMPTY` if the directory is not empty.
  public func removeDirectory(
    _ path: FilePath, _ handler: @escaping (Result<Void, FileError>) -> Void = { _ in }
  ) {
    offload(
      as: .remove, path,
      { (directory) throws(FileError) in
        try FileSystemCalls.remove(.beneath(directory, path), isDirectory: true)
      }, handler)
  }

  /// Creates a directory. Its parent must exist. Wraps `mkdirat(2)`.
  ///
  /// - Parameters:
  ///   - path: Relative to this directory.
  ///   - permissions: The permissions of the directory, reduced by the process's umask.
  ///   - handler: Receives the result: `EEXIST` if the name exists.
  public func createDirectory(
    _ path: FilePath, permissions: FilePermissions = Directory.defaultPermissions,
    _ handler: @escaping (Result<Void, FileError>) -> Void
  ) {
    offload(
      as: .createDirectory, path,
      { (directory) throws(FileError) in
        try FileSystemCalls.createDirectory(
          .beneath(directory, path), permissions: permissions)
      }, handler)
  }

  /// Creates a hard link. Wraps `linkat(2)`; a symbolic link is not followed.
  ///
  /// - Parameters:
  ///   - path: The file, relative to this directory.
  ///   - newPath: The new name, relative to this directory.
  ///   - handler: Receives the result: `EEXIST` if the new name exists.
  public func link(
    _ path: FilePath, to newPath: FilePath,
    _ handler: @escaping (Result<Void, FileError>) -> Void
  ) {
    offload(
      as: .link, path,
      { (directory) throws(FileError) in
        try FileSystemCalls.link(.beneath(directory, path), to: .beneath(directory, newPath))
      }, handler)
  }

  /// Creates a symbolic link. Wraps `symlinkat(2)`.
  ///
  /// - Parameters:
  ///   - path: The link, relative to this directory.
  ///   - target: Any path, relative to the link's directory. This directory's calls do not follow a
  ///     link that leads out of it.
  ///   - handler: Receives the result: `EEXIST` if the name exists.
  public func createSymbolicLink(
    _ path: FilePath, to target: FilePath,
    _ handler: @escaping (Result<Void, FileError>) -> Void
  ) {
    offload(
      as: .createSymbolicLink, path,
      { (directory) throws(FileError) in
        try FileSystemCalls.createSymbolicLink(.beneath(directory, path), to: target)
      }, handler)
  }

  /// Reads the target of a symbolic link. Wraps `readlinkat(2)`.
  ///
  /// - Parameters:
  ///   - path: The link, relative to this directory.
  ///   - handler: Receives the target as stored in the link; `EINVAL` if the path is not a symbolic
  ///     link.
  public func readSymbolicLink(
    _ path: FilePath, _ handler: @escaping (Result<FilePath, FileError>) -> Void
  ) {
    offload(
      as: .readSymbolicLink, path,
      { (directory) throws(FileError) in
        try FileSystemCalls.readSymbolicLink(.beneath(directory, path))
      }, handler)
  }

  /// Lists the entries of this directory, without `.` and `..`, in no particular order. Wraps
  /// `readdir(3)`.
  ///
  /// - Parameters:
  ///   - maximumCount: The most entries, 1 or more. Use ``batches(of:)`` for larger directories.
  ///   - handler: Receives all entries; `EOVERFLOW` if there are more.
  public func list(
    maximumCount: Int = defaultListLimit,
    _ handler: @escaping (Result<[Entry], FileError>) -> Void
  ) {
    require(maximumCount > 0, "Directory: maximumCount is 1 or more")
    let path = path
    offload(
      as: .list, self.path,
      { (directory) throws(FileError) in
        let stream = try DirectoryStream(directory, path: path)
        let entries = try stream.next(maximumCount)
        guard try stream.next(1).isEmpty else {
          throw FileError(operation: .list, path: path, errno: .overflow)
        }
        return entries
      }, handler)
  }

  /// Lists the entries of this directory in batches.
  ///
  /// - Parameter batchCount: The number of entries in a batch, 1 or more.
  /// - Returns: A reader. It opens the directory with its first batch.
  public func batches(of batchCount: Int = DirectoryReader.defaultBatchCount) -> DirectoryReader {
    DirectoryReader(self, batchCount: batchCount)
  }
}
