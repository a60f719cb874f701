public import SystemPackage

/// Files and directories that are open for the time of a call. For a task on the loop's thread.
extension File {
  /// Opens a file, calls `body`, and closes the file on every path, also in a cancelled task; see
  /// ``open(_:_:options:permissions:on:_:)`` and ``close(_:)``.
  ///
  /// ```swift
  /// let text = try await File.withFile("notes.txt", .readOnly, on: loop) { file in
  ///   String(decoding: try await file.read(into: IOBuffer(capacity: 4096), at: 0))
  /// }
  /// ```
  ///
  /// - Parameters:
  ///   - path: Relative to the process's working directory, or absolute.
  ///   - mode: For reading, writing or both.
  ///   - options: Further flags, such as `.create`.
  ///   - permissions: Of a file that is made; the process's umask is taken off.
  ///   - loop: The loop to use.
  ///   - body: Gets the file, which is closed when this returns or throws.
  /// - Returns: What `body` returns.
  /// - Throws: A ``/PosixAIO/FileError`` of opening, when `body` was not called; or else the error
  ///   of `body`; or else that of closing, which means that data of earlier writes may be lost.
  @discardableResult
  nonisolated(nonsending) public static func withFile<Value: ~Copyable>(
    _ path: FilePath, _ mode: FileDescriptor.AccessMode,
    options: FileDescriptor.OpenOptions = [],
    permissions: FilePermissions = File.defaultPermissions,
    on loop: EventLoop, _ body: nonisolated(nonsending) (File) async throws -> Value
  ) async throws -> Value {
    try await open(path, mode, options: options, permissions: permissions, on: loop)
      .closeAfter(body)
  }

  /// - Throws: The error of `body`, or else that of closing.
  nonisolated(nonsending) fileprivate func closeAfter<Value: ~Copyable>(
    _ body: nonisolated(nonsending) (File) async throws -> Value
  ) async throws -> Value {
    let value: Value
    do {
      value = try await body(self)
    } catch {
      // The first error says why; that of closing can only follow from it.
      try? await close()
      throw error
    }
    try await close()
    return value
  }
}

extension Directory {
  /// Opens a directory and calls `body`; see ``open(_:on:_:)``. Its descriptor is closed when
  /// `body` has ended and nothing refers to the directory any more.
  ///
  /// - Parameters:
  ///   - path: Relative to the process's working directory, or absolute.
  ///   - loop: The loop to use.
  ///   - body: Gets the directory.
  /// - Returns: What `body` returns.
  /// - Throws: A ``/PosixAIO/FileError`` of opening, when `body` was not called; or what `body`
  ///   throws.
  @discardableResult
  nonisolated(nonsending) public static func withDirectory<Value: ~Copyable>(
    _ path: FilePath, on loop: EventLoop,
    _ body: nonisolated(nonsending) (Directory) async throws -> Value
  ) async throws -> Value {
    try await body(open(path, on: loop))
  }

  /// Opens a file below this directory, calls `body`, and closes the file on every path; see
  /// ``openFile(_:_:options:permissions:_:)`` and
  /// ``File/withFile(_:_:options:permissions:on:_:)``.
  @discardableResult
  nonisolated(nonsending) public func withFile<Value: ~Copyable>(
    _ name: FilePath, _ mode: FileDescriptor.AccessMode,
    options: FileDescriptor.OpenOptions = [],
    permissions: FilePermissions = File.defaultPermissions,
    _ body: nonisolated(nonsending) (File) async throws -> Value
  ) async throws -> Value {
    try await openFile(name, mode, options: options, permissions: permissions).closeAfter(body)
  }
}
