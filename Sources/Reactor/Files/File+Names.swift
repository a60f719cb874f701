public import PosixAIO
public import SystemPackage

/// Calls on names anywhere. Paths are absolute, or relative to the process's working directory.
/// Each call runs on a helper thread of the loop. ``Directory`` has the same calls, confined to it.
extension File {
  /// Returns the metadata of a path. Wraps `fstatat(2)`.
  ///
  /// - Parameters:
  ///   - path: Absolute, or relative to the process's working directory.
  ///   - followingLinks: Whether to follow a symbolic link at the end of the path.
  ///   - loop: The loop to use; call on its thread.
  ///   - handler: Receives the metadata; `ENOENT` if the path does not exist.
  public static func status(
    of path: FilePath, followingLinks: Bool = true, on loop: EventLoop,
    _ handler: @escaping (Result<FileStatus, FileError>) -> Void
  ) {
    loop.core.offloadCall(
      as: .status, path,
      { () throws(FileError) in
        try FileSystemCalls.status(of: .anywhere(path), followingLinks: followingLinks)
      }, handler)
  }

  /// Renames a file or directory; see ``Directory/rename(_:to:replacing:_:)``.
  public static func rename(
    _ path: FilePath, to newPath: FilePath, replacing: Bool = true, on loop: EventLoop,
    _ handler: @escaping (Result<Bool, FileError>) -> Void
  ) {
    loop.core.offloadCall(
      as: .rename, path,
      { () throws(FileError) in
        try FileSystemCalls.rename(
          .anywhere(path), to: .anywhere(newPath), replacing: replacing)
      }, handler)
  }

  /// Removes a file's name; see ``Directory/remove(_:_:)``. Wraps `unlinkat(2)`.
  public static func remove(
    _ path: FilePath, on loop: EventLoop,
    _ handler: @escaping (Result<Void, FileError>) -> Void = { _ in }
  ) {
    loop.core.offloadCall(
      as: .remove, path,
      { () throws(FileError) in try FileSystemCalls.remove(.anywhere(path)) }, handler)
  }

  /// Creates a hard link; see ``Directory/link(_:to:_:)``. Wraps `linkat(2)`.
  public static func link(
    _ path: FilePath, to newPath: FilePath, on loop: EventLoop,
    _ handler: @escaping (Result<Void, FileError>) -> Void
  ) {
    loop.core.offloadCall(
      as: .link, path,
      { () throws(FileError) in
        try FileSystemCalls.link(.anywhere(path), to: .anywhere(newPath))
      }, handler)
  }

  /// Creates a symbolic link. Wraps `symlinkat(2)`.
  ///
  /// - Parameters:
  ///   - path: The link.
  ///   - target: Any path, relative to the link's directory.
  ///   - loop: The loop to use; call on its thread.
  ///   - handler: Receives the result: `EEXIST` if the name exists.
  public static func createSymbolicLink(
    _ path: FilePath, to target: FilePath, on loop: EventLoop,
    _ handler: @escaping (Result<Void, FileError>) -> Void
  ) {
    loop.core.offloadCall(
      as: .createSymbolicLink, path,
      { () throws(FileError) in
        try FileSystemCalls.createSymbolicLink(.anywhere(path), to: target)
      }, handler)
  }

  /// Reads the target of a symbolic link; see ``Directory/readSymbolicLink(_:_:)``. Wraps
  /// `readlinkat(2)`.
  public static func readSymbolicLink(
    _ path: FilePath, on loop: EventLoop,
    _ handler: @escaping (Result<FilePath, FileError>) -> Void
  ) {
    loop.core.offloadCall(
      as: .readSymbolicLink, path,
      { () throws(FileError) in try FileSystemCalls.readSymbolicLink(.anywhere(path)) }, handler)
  }
}

extension Directory {
  /// Creates a directory. Its parent must exist. Wraps `mkdirat(2)`.
  ///
  /// - Parameters:
  ///   - path: Absolute, or relative to the process's working directory.
  ///   - permissions: The permissions of the directory, reduced by the process's umask.
  ///   - loop: The loop to use; call on its thread.
  ///   - handler: Receives the result: `EEXIST` if the name exists.
  public static func createDirectory(
    _ path: FilePath, permissions: FilePermissions = Directory.defaultPermissions,
    on loop: EventLoop,
    _ handler: @escaping (Result<Void, FileError>) -> Void
  ) {
    loop.core.offloadCall(
      as: .createDirectory, path,
      { () throws(FileError) in
        try FileSystemCalls.createDirectory(.anywhere(path), permissions: permissions)
      }, handler)
  }

  /// Removes an empty directory; see ``removeDirectory(_:_:)``. Wraps `unlinkat(2)` with
  /// `AT_REMOVEDIR`.
  public static func removeDirectory(
    _ path: FilePath, on loop: EventLoop,
    _ handler: @escaping (Result<Void, FileError>) -> Void = { _ in }
  ) {
    loop.core.offloadCall(
      as: .remove, path,
      { () throws(FileError) in
        try FileSystemCalls.remove(.anywhere(path), isDirectory: true)
      }, handler)
  }
}
