public import PosixAIO
public import SystemPackage

/// Whole files, as the callback forms of their names, for a task on the loop's thread. A cancelled
/// task breaks the work off; what it throws then is `ECANCELED`, when all is as it was before.
extension File {
  /// Reads a whole file; see ``contents(of:maximumByteCount:on:_:)``.
  nonisolated(nonsending) public static func contents(
    of path: FilePath, maximumByteCount: Int = defaultContentsLimit, on loop: EventLoop
  ) async throws(FileError) -> IOBuffer {
    try await loop.core.workOutcome(.open, path) { (pending: Pending<IOBuffer, FileError>) in
      contents(of: path, maximumByteCount: maximumByteCount, on: loop) { pending.finish($0) }
    }
  }

  /// Reads the whole file, which stays open; see ``contents(maximumByteCount:_:)``.
  nonisolated(nonsending) public func contents(
    maximumByteCount: Int = defaultContentsLimit
  ) async throws(FileError) -> IOBuffer {
    try await core.workOutcome(.read, path) { (pending: Pending<IOBuffer, FileError>) in
      contents(maximumByteCount: maximumByteCount) { pending.finish($0) }
    }
  }

  /// Replaces a file at once, wholly and durably; see ``replace(_:with:permissions:on:_:)``.
  nonisolated(nonsending) public static func replace(
    _ path: FilePath, with buffer: consuming IOBuffer, permissions: FilePermissions? = nil,
    on loop: EventLoop
  ) async throws(FileError) {
    let content = MoveBox(buffer)
    try await loop.core.workOutcome(.open, path) { (pending: Pending<Void, FileError>) in
      replace(
        path, with: content.take(), permissions: permissions, on: loop
      ) { pending.finish($0) }
    }
  }
}

extension Directory {
  /// Reads a whole file below this directory; see ``contents(of:maximumByteCount:_:)``.
  nonisolated(nonsending) public func contents(
    of path: FilePath, maximumByteCount: Int = File.defaultContentsLimit
  ) async throws(FileError) -> IOBuffer {
    try await core.workOutcome(.open, path) { (pending: Pending<IOBuffer, FileError>) in
      contents(of: path, maximumByteCount: maximumByteCount) { pending.finish($0) }
    }
  }

  /// Replaces a file below this directory at once, wholly and durably; see
  /// ``replace(_:with:permissions:_:)``.
  nonisolated(nonsending) public func replace(
    _ path: FilePath, with buffer: consuming IOBuffer, permissions: FilePermissions? = nil
  ) async throws(FileError) {
    let content = MoveBox(buffer)
    try await core.workOutcome(.open, path) { (pending: Pending<Void, FileError>) in
      replace(path, with: content.take(), permissions: permissions) {
        pending.finish($0)
      }
    }
  }
}
