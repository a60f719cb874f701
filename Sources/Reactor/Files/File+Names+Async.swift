public import PosixAIO
public import SystemPackage

/// The async forms, for tasks on the loop's thread. Each corresponds to the callback form of its
/// name. A call that has started runs to its end.
extension File {
  /// Returns the metadata of a path; see ``status(of:followingLinks:on:_:)``.
  nonisolated(nonsending) public static func status(
    of path: FilePath, followingLinks: Bool = true, on loop: EventLoop
  ) async throws(FileError) -> FileStatus {
    try await loop.core.outcome(.status, path) { done in
      status(of: path, followingLinks: followingLinks, on: loop, done)
    }
  }

  /// Renames a file or directory; see ``rename(_:to:replacing:on:_:)``.
  ///
  /// - Returns: Whether an existing name was replaced.
  @discardableResult
  nonisolated(nonsending) public static func rename(
    _ path: FilePath, to newPath: FilePath, replacing: Bool = true, on loop: EventLoop
  ) async throws(FileError) -> Bool {
    try await loop.core.outcome(.rename, path, to: newPath) { done in
      rename(path, to: newPath, replacing: replacing, on: loop, done)
    }
  }

  /// Removes a file's name; see ``remove(_:on:_:)``.
  nonisolated(nonsending) public static func remove(
    _ path: FilePath, on loop: EventLoop
  ) async throws(FileError) {
    try await loop.core.outcome(.remove, path) { done in
      remove(path, on: loop, done)
    }
  }

  /// Creates a hard link; see ``link(_:to:on:_:)``.
  nonisolated(nonsending) public static func link(
    _ path: FilePath, to newPath: FilePath, on loop: EventLoop
  ) async throws(FileError) {
    try await loop.core.outcome(.link, path, to: newPath) { done in
      link(path, to: newPath, on: loop, done)
    }
  }

  /// Creates a symbolic link; see ``createSymbolicLink(_:to:on:_:)``.
  nonisolated(nonsending) public static func createSymbolicLink(
    _ path: FilePath, to target: FilePath, on loop: EventLoop
  ) async throws(FileError) {
    try await loop.core.outcome(.createSymbolicLink, path, to: target) { done in
      createSymbolicLink(path, to: target, on: loop, done)
    }
  }

  /// Reads the target of a symbolic link; see ``readSymbolicLink(_:on:_:)``.
  nonisolated(nonsending) public static func readSymbolicLink(
    _ path: FilePath, on loop: EventLoop
  ) async throws(FileError) -> FilePath {
    try await loop.core.outcome(.readSymbolicLink, path) { done in
      readSymbolicLink(path, on: loop, done)
    }
  }
}

extension Directory {
  /// Creates a directory; see ``createDirectory(_:permissions:on:_:)``.
  nonisolated(nonsending) public static func createDirectory(
    _ path: FilePath, permissions: FilePermissions = Directory.defaultPermissions,
    on loop: EventLoop
  ) async throws(FileError) {
    try await loop.core.outcome(.createDirectory, path) { done in
      createDirectory(path, permissions: permissions, on: loop, done)
    }
  }

  /// Removes an empty directory; see ``removeDirectory(_:on:_:)``.
  nonisolated(nonsending) public static func removeDirectory(
    _ path: FilePath, on loop: EventLoop
  ) async throws(FileError) {
    try await loop.core.outcome(.remove, path) { done in
      removeDirectory(path, on: loop, done)
    }
  }
}
