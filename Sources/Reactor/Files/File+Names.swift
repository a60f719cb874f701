public import PosixAIO
public import SystemPackage

/// Names anywhere: paths are absolute, or relative to the process's working directory. Each call
/// runs on a helper thread of the loop. ``Directory`` has the same calls, contained in it.
extension File {
  /// Asks for the metadata of what a path stands for. Wraps `fstatat(2)`.
  ///
  /// - Parameters:
  ///   - path: Absolute, or relative to the process's working directory.
  ///   - followingLinks: Whether a symbolic link at the end of the path is followed.
  ///   - loop: Whose thread this is.
  ///   - handler: Gets the metadata; `ENOENT` if there is nothing.
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

  /// Gives a file or directory another name; see ``Directory/rename(_:to:replacing:_:)``.
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

  /// Gives a file a further name; see ``Directory/link(_:to:_:)``. Wraps `linkat(2)`.
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

  /// Makes a symbolic link. Wraps `symlinkat(2)`.
  ///
  /// - Parameters:
  ///   - path: The link.
  ///   - goal: Where it leads: any path, relative to the link.
  ///   - loop: Whose thread this is.
  ///   - handler: Gets the outcome: `EEXIST` if the name stands for something.
  public static func createSymbolicLink(
    _ path: FilePath, to goal: FilePath, on loop: EventLoop,
    _ handler: @escaping (Result<Void, FileError>) -> Void
  ) {
    loop.core.offloadCall(
      as: .createSymbolicLink, path,
      { () throws(FileError) in
        try FileSystemCalls.createSymbolicLink(.anywhere(path), to: goal)
      }, handler)
  }

  /// Reads where a symbolic link leads; see ``Directory/readSymbolicLink(_:_:)``. Wraps
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
  /// Makes a directory, whose parent must exist. Wraps `mkdirat(2)`.
  ///
  /// - Parameters:
  ///   - path: Absolute, or relative to the process's working directory.
  ///   - permissions: The process's umask is taken off.
  ///   - loop: Whose thread this is.
  ///   - handler: Gets the outcome: `EEXIST` if the name stands for something.
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
