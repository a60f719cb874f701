#if NIO
  public import NIOCore
  public import PosixAIO
  public import SystemPackage
  public import struct SystemPackage.FileDescriptor

  /// Paths that can be opened and changed: those of a ``LoopFileSystem``, which begin anywhere, and
  /// those of a ``LoopDirectory``, which cannot lead out of it.
  ///
  /// Every call may be made on any thread, and has two forms: one returns a future of the loop, and
  /// one is awaited. Calls run on the thread pool, unless it is said otherwise. A call that has
  /// started runs to its end, even if its task is cancelled; if the task was cancelled before, it
  /// throws `ECANCELED` and starts nothing. If the loop shuts down meanwhile, the result is
  /// `ECANCELED`, and a file that was opened is closed. After that, NIO calls nothing that you add
  /// to a future of the loop; the awaited forms throw.
  ///
  /// The types of this module conform; others cannot make a scope.
  public protocol LoopFileNamespace: Sendable {
    /// Where paths begin, and the loop.
    var scope: LoopFileScope { get }
  }

  extension LoopFileNamespace {
    /// The loop whose futures the calls return.
    public var eventLoop: any EventLoop { scope.eventLoop }

    // MARK: - Opening

    /// Opens a file for reading. Wraps `openat2(2)` and `open(2)`.
    ///
    /// A regular file of a local file system (ext4, xfs, btrfs, f2fs, tmpfs or overlayfs) is opened
    /// on the loop, without a thread, if the kernel has the whole path in memory (`RESOLVE_CACHED`,
    /// Linux 5.12). Every other file is opened on the thread pool.
    ///
    /// Opening never waits for another process: a named pipe without a writer is opened at once,
    /// and is at its end until there is one; a file on which another process holds a lease fails
    /// with `EAGAIN`. Reads of pipes and devices wait as usual.
    ///
    /// - Parameters:
    ///   - path: Of the file; a symbolic link is followed.
    ///   - options: Further flags, such as `.directIO`.
    ///     With any, the file is opened on the thread pool.
    /// - Returns: A future of the file; it fails with the error of `open(2)`.
    public func openFile(
      forReadingAt path: FilePath, options: FileDescriptor.OpenOptions = []
    ) -> EventLoopFuture<LoopFile> {
      let scope = scope
      return scope.future(FileCall(.open, path)) { owner, done in
        if options.isEmpty, let file = scope.openFromMemory(path, on: owner) {
          return done(.success(file))
        }
        scope.open(path, .readOnly, options, [], on: owner, done)
      }
    }

    /// Opens a file for reading, at once if the task runs on the loop and the kernel has the path
    /// of a local file in memory. The form that returns a future says more.
    ///
    /// - Parameters:
    ///   - path: Of the file; a symbolic link is followed.
    ///   - options: Further flags. With any, the file is opened on the thread pool.
    /// - Returns: The file.
    /// - Throws: The error of `open(2)`.
    nonisolated(nonsending) public func openFile(
      forReadingAt path: FilePath, options: FileDescriptor.OpenOptions = []
    ) async throws(FileError) -> LoopFile {
      let scope = scope
      if options.isEmpty, let file = try scope.openFromMemory(path) { return file }
      return try await scope.outcome(FileCall(.open, path)) { owner, done in
        scope.open(path, .readOnly, options, [], on: owner, done)
      }
    }

    /// Opens a file for writing. Wraps `open(2)`.
    ///
    /// - Parameters:
    ///   - path: Of the file; a symbolic link is followed.
    ///   - options: Further flags, such as `.create`, `.truncate`, `.exclusiveCreate` or `.append`.
    ///   - permissions: Of a new file, reduced by the process's umask.
    /// - Returns: A future of the file; it fails with the error of `open(2)`, and with `ENXIO` for
    ///   a named pipe without a reader.
    public func openFile(
      forWritingAt path: FilePath, options: FileDescriptor.OpenOptions = [],
      permissions: FilePermissions = LoopFile.defaultPermissions
    ) -> EventLoopFuture<LoopFile> {
      scope.openOnPool(path, .writeOnly, options, permissions)
    }

    /// Opens a file for writing. Wraps `open(2)`.
    ///
    /// - Parameters:
    ///   - path: Of the file; a symbolic link is followed.
    ///   - options: Further flags, such as `.create`, `.truncate`, `.exclusiveCreate` or `.append`.
    ///   - permissions: Of a new file, reduced by the process's umask.
    /// - Returns: The file.
    /// - Throws: The error of `open(2)`, and `ENXIO` for a named pipe without a reader.
    nonisolated(nonsending) public func openFile(
      forWritingAt path: FilePath, options: FileDescriptor.OpenOptions = [],
      permissions: FilePermissions = LoopFile.defaultPermissions
    ) async throws(FileError) -> LoopFile {
      try await scope.openOnPool(path, .writeOnly, options, permissions)
    }

    /// Opens a file for reading and writing; see
    /// ``openFile(forWritingAt:options:permissions:)->LoopFile``.
    public func openFile(
      forReadingAndWritingAt path: FilePath, options: FileDescriptor.OpenOptions = [],
      permissions: FilePermissions = LoopFile.defaultPermissions
    ) -> EventLoopFuture<LoopFile> {
      scope.openOnPool(path, .readWrite, options, permissions)
    }

    /// Opens a file for reading and writing; see
    /// ``openFile(forWritingAt:options:permissions:)->LoopFile``.
    nonisolated(nonsending) public func openFile(
      forReadingAndWritingAt path: FilePath, options: FileDescriptor.OpenOptions = [],
      permissions: FilePermissions = LoopFile.defaultPermissions
    ) async throws(FileError) -> LoopFile {
      try await scope.openOnPool(path, .readWrite, options, permissions)
    }

    /// Opens a directory. Wraps `open(2)` with `O_DIRECTORY`.
    ///
    /// - Parameter path: Of the directory.
    /// - Returns: A future of the directory; it fails with `ENOTDIR` for another file.
    public func openDirectory(at path: FilePath) -> EventLoopFuture<LoopDirectory> {
      scope.future(FileCall(.open, path), scope.openingDirectory(path))
    }

    /// Opens a directory. Wraps `open(2)` with `O_DIRECTORY`.
    ///
    /// - Parameter path: Of the directory.
    /// - Returns: The directory.
    /// - Throws: The error of `open(2)`: `ENOTDIR` for another file.
    nonisolated(nonsending) public func openDirectory(
      at path: FilePath
    ) async throws(FileError) -> LoopDirectory {
      try await scope.outcome(FileCall(.open, path), scope.openingDirectory(path))
    }

    // MARK: - Files that are open for the duration of a call

    /// Opens a file for reading, calls `body`, and closes the file on every path, also in a
    /// cancelled task; see ``openFile(forReadingAt:options:)->LoopFile``.
    ///
    /// - Parameters:
    ///   - path: Of the file.
    ///   - body: Receives the file, which is closed when `body` returns or throws.
    /// - Returns: The value that `body` returns.
    /// - Throws: A ``/PosixAIO/FileError`` of opening, if `body` was not called. Otherwise the
    ///   error of `body`, or else the error of closing.
    nonisolated(nonsending) public func withFile<Value: ~Copyable>(
      forReadingAt path: FilePath, _ body: nonisolated(nonsending) (LoopFile) async throws -> Value
    ) async throws -> Value {
      try await openFile(forReadingAt: path).closeAfter(body)
    }

    /// Opens a file for writing, calls `body`, and closes the file on every path, also in a
    /// cancelled task; see ``openFile(forWritingAt:options:permissions:)->LoopFile`` and
    /// ``withFile(forReadingAt:_:)``.
    nonisolated(nonsending) public func withFile<Value: ~Copyable>(
      forWritingAt path: FilePath, options: FileDescriptor.OpenOptions = [],
      permissions: FilePermissions = LoopFile.defaultPermissions,
      _ body: nonisolated(nonsending) (LoopFile) async throws -> Value
    ) async throws -> Value {
      try await openFile(forWritingAt: path, options: options, permissions: permissions)
        .closeAfter(body)
    }

    /// Opens a file for reading and writing, calls `body`, and closes the file on every path, also
    /// in a cancelled task; see ``openFile(forWritingAt:options:permissions:)->LoopFile`` and
    /// ``withFile(forReadingAt:_:)``.
    nonisolated(nonsending) public func withFile<Value: ~Copyable>(
      forReadingAndWritingAt path: FilePath, options: FileDescriptor.OpenOptions = [],
      permissions: FilePermissions = LoopFile.defaultPermissions,
      _ body: nonisolated(nonsending) (LoopFile) async throws -> Value
    ) async throws -> Value {
      try await openFile(forReadingAndWritingAt: path, options: options, permissions: permissions)
        .closeAfter(body)
    }
  }
#endif
