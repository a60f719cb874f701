public import PosixAIO
public import SystemPackage

/// Whole files: the async forms, for tasks on the loop's thread. Cancelling the task stops the
/// work; it then throws `ECANCELED` when the former state is restored.
extension File {
  /// Reads a whole file; see ``contents(of:maximumByteCount:on:_:)``.
  nonisolated(nonsending) public static func contents(
    of path: FilePath, maximumByteCount: Int = defaultContentsLimit, on loop: EventLoop
  ) async throws(FileError) -> IOBuffer {
    try await loop.core.workOutcome(.open, path) { (promise: Promise<IOBuffer, FileError>) in
      contents(of: path, maximumByteCount: maximumByteCount, on: loop) { promise.finish($0) }
    }
  }

  /// Reads the whole file, which stays open; see ``contents(maximumByteCount:_:)``.
  nonisolated(nonsending) public func contents(
    maximumByteCount: Int = defaultContentsLimit
  ) async throws(FileError) -> IOBuffer {
    try await core.workOutcome(.read, path) { (promise: Promise<IOBuffer, FileError>) in
      contents(maximumByteCount: maximumByteCount) { promise.finish($0) }
    }
  }

  /// Replaces a file atomically and durably; see ``replace(_:with:permissions:on:_:)``.
  nonisolated(nonsending) public static func replace(
    _ path: FilePath, with buffer: consuming IOBuffer, permissions: FilePermissions? = nil,
    on loop: EventLoop
  ) async throws(FileError) {
    let content = MoveBox(buffer)
    try await loop.core.workOutcome(.open, path) { (promise: Promise<Void, FileError>) in
      replace(
        path, with: content.take(), permissions: permissions, on: loop
      ) { promise.finish($0) }
    }
  }
}

extension Directory {
  /// Reads a whole file below this directory; see ``contents(of:maximumByteCount:_:)``.
  nonisolated(nonsending) public func contents(
    of path: FilePath, maximumByteCount: Int = File.defaultContentsLimit
  ) async throws(FileError) -> IOBuffer {
    try await core.workOutcome(.open, path) { (promise: Promise<IOBuffer, FileError>) in
      contents(of: path, maximumByteCount: maximumByteCount) { promise.finish($0) }
    }
  }

  /// Replaces a file below this directory atomically and durably; see
  /// ``replace(_:with:permissions:_:)``.
  nonisolated(nonsending) public func replace(
    _ path: FilePath, with buffer: consuming IOBuffer, permissions: FilePermissions? = nil
  ) async throws(FileError) {
    let content = MoveBox(buffer)
    try await core.workOutcome(.open, path) { (promise: Promise<Void, FileError>) in
      replace(path, with: content.take(), permissions: permissions) {
        promise.finish($0)
      }
    }
  }
}
