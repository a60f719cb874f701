public import PosixAIO
public import SystemPackage

/// Names below a directory. Each path is relative to it and cannot lead out of it; each call runs
/// on a helper thread.
extension Directory {
  /// The permissions of a directory that is made, by default: everything for everybody (0777), of
  /// which the process's umask takes some off, as of those of `mkdir(1)`.
  public static let defaultPermissions = FilePermissions(rawValue: 0o777)

  /// The most entries that ``list(maximumCount:_:)`` gives, unless another number is asked for.
  public static let defaultListLimit = 100_000

  /// Asks for the metadata of what a path stands for. Wraps `fstat(2)` behind `openat2(2)`.
  ///
  /// - Parameters:
  ///   - path: Relative to this directory; `.` is the directory itself.
  ///   - followingLinks: Whether a symbolic link at the end of the path is followed.
  ///   - handler: Gets the metadata.
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

  /// Gives a file or directory another name at once and wholly. Wraps `renameat2(2)`.
  ///
  /// - Parameters:
  ///   - path: Relative to this directory.
  ///   - newPath: Relative to this directory.
  ///   - replacing: Whether what has the new name is replaced; if not, `EEXIST` is the outcome
  ///     where there is something, and `EINVAL` on the few file systems that cannot tell.
  ///   - handler: Gets whether something was replaced.
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

  /// Removes a file's name; a symbolic link is removed itself. Wraps `unlinkat(2)`.
  ///
  /// - Parameters:
  ///   - path: Relative to this directory.
  ///   - handler: Gets the outcome: `ENOENT` if there is nothing, `EISDIR` if it is a directory.
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
  ///   - handler: Gets the outcome: `ENOTEMPTY` if it is not empty.
  public func removeDirectory(
    _ path: FilePath, _ handler: @escaping (Result<Void, FileError>) -> Void = { _ in }
  ) {
    offload(
      as: .remove, path,
      { (directory) throws(FileError) in
        try FileSystemCalls.remove(.beneath(directory, path), isDirectory: true)
      }, handler)
  }

  /// Makes a directory, whose parent must exist. Wraps `mkdirat(2)`.
  ///
  /// - Parameters:
  ///   - path: Relative to this directory.
  ///   - permissions: The process's umask is taken off.
  ///   - handler: Gets `EEXIST` if the name stands for something.
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

  /// Gives a file a further name. Wraps `linkat(2)`; a symbolic link is not followed.
  ///
  /// - Parameters:
  ///   - path: Of the file, relative to this directory.
  ///   - newPath: Relative to this directory.
  ///   - handler: Gets the outcome: `EEXIST` if the new name stands for something.
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

  /// Makes a symbolic link. Wraps `symlinkat(2)`.
  ///
  /// - Parameters:
  ///   - path: The link, relative to this directory.
  ///   - goal: Any path, relative to the link. One that leads out of this directory is not followed
  ///     by this directory.
  ///   - handler: Gets `EEXIST` if the name stands for something.
  public func createSymbolicLink(
    _ path: FilePath, to goal: FilePath,
    _ handler: @escaping (Result<Void, FileError>) -> Void
  ) {
    offload(
      as: .createSymbolicLink, path,
      { (directory) throws(FileError) in
        try FileSystemCalls.createSymbolicLink(.beneath(directory, path), to: goal)
      }, handler)
  }

  /// Reads where a symbolic link leads. Wraps `readlinkat(2)`.
  ///
  /// - Parameters:
  ///   - path: Of the link, relative to this directory.
  ///   - handler: Gets the path as it stands in the link; `EINVAL` if it is no link.
  public func readSymbolicLink(
    _ path: FilePath, _ handler: @escaping (Result<FilePath, FileError>) -> Void
  ) {
    offload(
      as: .readSymbolicLink, path,
      { (directory) throws(FileError) in
        try FileSystemCalls.readSymbolicLink(.beneath(directory, path))
      }, handler)
  }

  /// Reads the names in this directory, without `.` and `..`, in no order. Wraps `readdir(3)`.
  ///
  /// - Parameters:
  ///   - maximumCount: The most entries, 1 or more; for larger directories there is
  ///     ``batches(of:)``.
  ///   - handler: Gets all entries; `EOVERFLOW` if there are more.
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

  /// Reads the names in this directory a batch at a time.
  ///
  /// - Parameter batchCount: The entries of one batch, 1 or more.
  /// - Returns: A reader, which opens the directory with its first batch.
  public func batches(of batchCount: Int = DirectoryReader.defaultBatchCount) -> DirectoryReader {
    DirectoryReader(self, batchCount: batchCount)
  }
}
