public import PosixAIO
public import SystemPackage

/// The async forms, for tasks on the loop's thread. Each corresponds to the callback form of its
/// name. A call that has started runs to its end.
extension Directory {
  /// Opens a directory; see ``open(_:on:_:)``.
  nonisolated(nonsending) public static func open(
    _ path: FilePath, on loop: EventLoop
  ) async throws(FileError) -> Directory {
    try await loop.core.outcome(.open, path) { done in open(path, on: loop, done) }
  }

  /// Opens a directory below this one; see ``openDirectory(_:_:)``.
  nonisolated(nonsending) public func openDirectory(
    _ name: FilePath
  ) async throws(FileError) -> Directory {
    try await core.outcome(.open, name) { done in openDirectory(name, done) }
  }

  /// Opens a file below this directory; see ``openFile(_:_:options:permissions:regularOnly:_:)``.
  nonisolated(nonsending) public func openFile(
    _ name: FilePath, _ mode: FileDescriptor.AccessMode,
    options: FileDescriptor.OpenOptions = [],
    permissions: FilePermissions = File.defaultPermissions, regularOnly: Bool = false
  ) async throws(FileError) -> File {
    try await core.outcome(.open, name) { done in
      openFile(
        name, mode, options: options, permissions: permissions, regularOnly: regularOnly, done)
    }
  }

  /// Makes the names in this directory durable; see ``sync(_:)``.
  nonisolated(nonsending) public func sync() async throws(FileError) {
    try await core.outcome(.sync, path) { done in sync(done) }
  }

  /// Returns the metadata of a path; see ``status(of:followingLinks:_:)``.
  nonisolated(nonsending) public func status(
    of path: FilePath, followingLinks: Bool = true
  ) async throws(FileError) -> FileStatus {
    try await core.outcome(.status, path) { done in
      status(of: path, followingLinks: followingLinks, done)
    }
  }

  /// Renames a file or directory; see ``rename(_:to:replacing:_:)``.
  ///
  /// - Returns: Whether an existing name was replaced.
  @discardableResult
  nonisolated(nonsending) public func rename(
    _ path: FilePath, to newPath: FilePath, replacing: Bool = true
  ) async throws(FileError) -> Bool {
    try await core.outcome(.rename, path, to: newPath) { done in
      rename(path, to: newPath, replacing: replacing, done)
    }
  }

  /// Removes a file's name; see ``remove(_:_:)``.
  nonisolated(nonsending) public func remove(_ path: FilePath) async throws(FileError) {
    try await core.outcome(.remove, path) { done in remove(path, done) }
  }

  /// Removes an empty directory; see ``removeDirectory(_:_:)``.
  nonisolated(nonsending) public func removeDirectory(_ path: FilePath) async throws(FileError) {
    try await core.outcome(.remove, path) { done in removeDirectory(path, done) }
  }

  /// Creates a directory; see ``createDirectory(_:permissions:_:)``.
  nonisolated(nonsending) public func createDirectory(
    _ path: FilePath, permissions: FilePermissions = Directory.defaultPermissions
  ) async throws(FileError) {
    try await core.outcome(.createDirectory, path) { done in
      createDirectory(path, permissions: permissions, done)
    }
  }

  /// Creates a hard link; see ``link(_:to:_:)``.
  nonisolated(nonsending) public func link(
    _ path: FilePath, to newPath: FilePath
  ) async throws(FileError) {
    try await core.outcome(.link, path, to: newPath) { done in
      link(path, to: newPath, done)
    }
  }

  /// Creates a symbolic link; see ``createSymbolicLink(_:to:_:)``.
  nonisolated(nonsending) public func createSymbolicLink(
    _ path: FilePath, to target: FilePath
  ) async throws(FileError) {
    try await core.outcome(.createSymbolicLink, path, to: target) { done in
      createSymbolicLink(path, to: target, done)
    }
  }

  /// Reads the target of a symbolic link; see ``readSymbolicLink(_:_:)``.
  nonisolated(nonsending) public func readSymbolicLink(
    _ path: FilePath
  ) async throws(FileError) -> FilePath {
    try await core.outcome(.readSymbolicLink, path) { done in
      readSymbolicLink(path, done)
    }
  }

  /// Lists the entries of this directory; see ``list(maximumCount:_:)``.
  nonisolated(nonsending) public func list(
    maximumCount: Int = defaultListLimit
  ) async throws(FileError) -> [Entry] {
    try await core.outcome(.list, path) { done in
      list(maximumCount: maximumCount, done)
    }
  }

  /// Creates an unnamed file in this directory; see ``temporaryFile(permissions:_:)``.
  nonisolated(nonsending) public func temporaryFile(
    permissions: FilePermissions = File.defaultPermissions
  ) async throws(FileError) -> TemporaryFile {
    try await core.outcome(.open, path) { done in
      temporaryFile(permissions: permissions, done)
    }
  }
}

extension DirectoryReader: AsyncSequence {
  /// Reads the next batch; see ``next(_:)``.
  nonisolated(nonsending) public func next() async throws(FileError) -> [Directory.Entry] {
    try await directory.core.outcome(.list, directory.path) { done in next(done) }
  }

  /// Iterates over the remaining batches.
  public struct AsyncIterator: AsyncIteratorProtocol, Sendable {
    fileprivate let reader: DirectoryReader

    /// Returns the next batch, or nil at the end.
    ///
    /// - Throws: As ``DirectoryReader/next(_:)``.
    public mutating func next(
      isolation actor: isolated (any Actor)?
    ) async throws(FileError) -> [Directory.Entry]? {
      try await nextBatch()
    }

    /// As ``next(isolation:)``, on the caller's executor.
    nonisolated(nonsending) public mutating func next() async throws(FileError) -> [Directory
      .Entry]?
    {
      try await nextBatch()
    }

    nonisolated(nonsending) private func nextBatch() async throws(FileError) -> [Directory.Entry]? {
      let batch = try await reader.next()
      return batch.isEmpty ? nil : batch
    }
  }

  /// Iterates over the remaining batches, for `for try await batch in directory.batches()`.
  public func makeAsyncIterator() -> AsyncIterator { AsyncIterator(reader: self) }
}

extension TemporaryFile {
  /// Publishes the file under a name; see ``publish(as:replacing:_:)``.
  ///
  /// - Returns: Whether an existing name was replaced.
  @discardableResult
  nonisolated(nonsending) public func publish(
    as name: FilePath.Component, replacing: Bool = true
  ) async throws(FileError) -> Bool {
    try await file.core.outcome(.rename, file.path) { done in
      publish(as: name, replacing: replacing, done)
    }
  }

  /// Closes the file and removes its temporary name, even in a cancelled task; see ``discard(_:)``.
  nonisolated(nonsending) public func discard() async throws(FileError) {
    try await file.core.closing { discard($0) }
  }
}
