internal import PosixAIO
public import SystemPackage

/// Files and directories that are open for the duration of a call. For tasks on the loop's thread.
extension File {
  /// Opens a file, calls `body`, and closes the file on every path, even in a cancelled task; see
  /// ``open(_:_:options:permissions:regularOnly:on:_:)`` and ``close(_:)``.
  ///
  /// ```swift
  /// let text = try await File.withFile("notes.txt", .readOnly, on: loop) { file in
  ///   String(decoding: try await file.read(into: IOBuffer(capacity: 4096), at: 0))
  /// }
  /// ```
  ///
  /// - Parameters:
  ///   - path: Relative to the process's working directory, or absolute.
  ///   - mode: Reading, writing or both.
  ///   - options: Further flags, such as `.create`.
  ///   - permissions: The permissions of a new file, reduced by the process's umask.
  ///   - regularOnly: Whether to open nothing but a regular file.
  ///   - loop: The loop to use.
  ///   - body: Receives the file, which is closed when `body` returns or throws.
  /// - Returns: The value that `body` returns.
  /// - Throws: A ``/PosixAIO/FileError`` of opening, if `body` was not called. Otherwise the error
  ///   of `body`. Otherwise the error of closing, which means that data of earlier writes may be
  ///   lost.
  @discardableResult
  nonisolated(nonsending) public static func withFile<Value: ~Copyable>(
    _ path: FilePath, _ mode: FileDescriptor.AccessMode,
    options: FileDescriptor.OpenOptions = [],
    permissions: FilePermissions = File.defaultPermissions, regularOnly: Bool = false,
    on loop: EventLoop, _ body: nonisolated(nonsending) (File) async throws -> Value
  ) async throws -> Value {
    try await open(
      path, mode, options: options, permissions: permissions, regularOnly: regularOnly, on: loop
    ).closeAfter(body)
  }
}

extension File: ClosableFile {}

extension Directory {
  /// Opens a directory and calls `body`; see ``open(_:on:_:)``. Its descriptor is closed after
  /// `body`, when the last reference to the directory is gone.
  ///
  /// - Parameters:
  ///   - path: Relative to the process's working directory, or absolute.
  ///   - loop: The loop to use.
  ///   - body: Receives the directory.
  /// - Returns: The value that `body` returns.
  /// - Throws: A ``/PosixAIO/FileError`` of opening, if `body` was not called, or the error of
  ///   `body`.
  @discardableResult
  nonisolated(nonsending) public static func withDirectory<Value: ~Copyable>(
    _ path: FilePath, on loop: EventLoop,
    _ body: nonisolated(nonsending) (Directory) async throws -> Value
  ) async throws -> Value {
    try await body(open(path, on: loop))
  }

  /// Opens a file below this directory, calls `body`, and closes the file on every path; see
  /// ``openFile(_:_:options:permissions:regularOnly:_:)`` and
  /// ``File/withFile(_:_:options:permissions:regularOnly:on:_:)``.
  @discardableResult
  nonisolated(nonsending) public func withFile<Value: ~Copyable>(
    _ name: FilePath, _ mode: FileDescriptor.AccessMode,
    options: FileDescriptor.OpenOptions = [],
    permissions: FilePermissions = File.defaultPermissions, regularOnly: Bool = false,
    _ body: nonisolated(nonsending) (File) async throws -> Value
  ) async throws -> Value {
    try await openFile(
      name, mode, options: options, permissions: permissions, regularOnly: regularOnly
    ).closeAfter(body)
  }

  /// Creates a file in this directory, calls `body`, and closes the file on every path; see
  /// ``temporaryFile(permissions:_:)``. If `body` does not publish it, it disappears.
  ///
  /// - Parameters:
  ///   - permissions: The permissions of the file, reduced by the process's umask.
  ///   - body: Receives the file, open for reading and writing, and publishes it by
  ///     ``TemporaryFile/publish(as:replacing:)``.
  /// - Returns: The value that `body` returns.
  /// - Throws: A ``/PosixAIO/FileError`` of creating the file, if `body` was not called. Otherwise
  ///   the error of `body`. Otherwise the error of closing the file or removing its temporary name.
  @discardableResult
  nonisolated(nonsending) public func withTemporaryFile<Value: ~Copyable>(
    permissions: FilePermissions = File.defaultPermissions,
    _ body: nonisolated(nonsending) (TemporaryFile) async throws -> Value
  ) async throws -> Value {
    let temporary = try await temporaryFile(permissions: permissions)
    let value: Value
    do {
      value = try await body(temporary)
    } catch {
      // The first error is the cause; an error of discarding can only follow from it.
      try? await temporary.discard()
      throw error
    }
    try await temporary.discard()
    return value
  }
}
