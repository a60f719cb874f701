public import PosixAIO
public import SystemPackage

/// Whole files.
extension File {
  /// The default limit for reading a whole file: 16 MiB.
  public static let defaultContentsLimit = 16 * 1024 * 1024

  /// Receives a file's bytes, or an error.
  public typealias ContentsHandler = (consuming Result<IOBuffer, FileError>) -> Void

  /// Reads a whole file.
  ///
  /// The file is read up to its end, wherever that is by then. So it works for files of `/proc`,
  /// whose size is reported as 0, and for files that grow or shrink meanwhile.
  ///
  /// - Parameters:
  ///   - path: A regular file. Fails with `EISDIR` for a directory, and with `EINVAL` for other
  ///     kinds.
  ///   - maximumByteCount: The most bytes. Fails with `EFBIG` for a larger file.
  ///   - loop: The loop to use; call on its thread.
  ///   - handler: Called once, after the file was closed.
  /// - Returns: The work; use it to cancel.
  @discardableResult
  public static func contents(
    of path: FilePath, maximumByteCount: Int = defaultContentsLimit, on loop: EventLoop,
    _ handler: @escaping ContentsHandler
  ) -> FileWork {
    let work = WholeFileRead(
      loop.core, maximumByteCount: maximumByteCount, closesFile: true, handler)
    // Non-blocking, so that opening a named pipe does not wait for its other end.
    open(path, .readOnly, options: .nonBlocking, on: loop, work.opened)
    return work
  }

  /// Reads the whole file; see ``contents(of:maximumByteCount:on:_:)``. The file stays open.
  @discardableResult
  public func contents(
    maximumByteCount: Int = defaultContentsLimit, _ handler: @escaping ContentsHandler
  ) -> FileWork {
    if !core.hasEnded { core.checkThread() }
    let work = WholeFileRead(
      core, maximumByteCount: maximumByteCount, closesFile: false, handler)
    // If the loop has ended, the read is refused.
    core.complete { [self] in work.start(self) }
    return work
  }

  /// Replaces a file atomically and durably. Afterwards the name refers either to the old bytes or
  /// to all new ones, even after a power failure.
  ///
  /// The bytes are written to a temporary file in the same directory, which is synced and renamed.
  /// Then the directory is synced. A symbolic link is replaced itself; its target does not change.
  /// The old file's owner, access control lists and extended attributes are not kept.
  ///
  /// - Parameters:
  ///   - path: The file. It need not exist, but its directory must.
  ///   - buffer: The new content. Consumed, and not returned.
  ///   - permissions: The permissions of the new file, not reduced by the umask. nil keeps those of
  ///     the old file; if there is none, the new file gets ``defaultPermissions`` reduced by the
  ///     umask.
  ///   - loop: The loop to use; call on its thread.
  ///   - handler: Called once. After an error the old file is unchanged and the temporary file is
  ///     removed. There is one exception: if only the sync of the directory failed (the operation
  ///     is `sync`, and the path is the directory's), the new file is in place, and a power failure
  ///     may restore the old one.
  /// - Returns: The work. It can be cancelled until the file is renamed.
  @discardableResult
  public static func replace(
    _ path: FilePath, with buffer: consuming IOBuffer, permissions: FilePermissions? = nil,
    on loop: EventLoop, _ handler: @escaping (Result<Void, FileError>) -> Void
  ) -> FileWork {
    let work = Replacement(loop.core, path, buffer, permissions, handler)
    let parent = path.removingLastComponent()
    Directory.open(parent.isEmpty ? "." : parent, on: loop, work.openedParent)
    return work
  }
}

extension Directory {
  /// Reads a whole file below this directory; see ``File/contents(of:maximumByteCount:on:_:)``.
  @discardableResult
  public func contents(
    of path: FilePath, maximumByteCount: Int = File.defaultContentsLimit,
    _ handler: @escaping File.ContentsHandler
  ) -> FileWork {
    let work = WholeFileRead(
      core, maximumByteCount: maximumByteCount, closesFile: true, handler)
    openFile(path, .readOnly, options: .nonBlocking, work.opened)
    return work
  }

  /// Replaces a file below this directory atomically and durably; see
  /// ``File/replace(_:with:permissions:on:_:)``.
  @discardableResult
  public func replace(
    _ path: FilePath, with buffer: consuming IOBuffer, permissions: FilePermissions? = nil,
    _ handler: @escaping (Result<Void, FileError>) -> Void
  ) -> FileWork {
    let work = Replacement(core, path, buffer, permissions, handler)
    let parent = path.removingLastComponent()
    if parent.isEmpty {
      core.complete { [self] in work.openedParent(.success(self)) }
    } else {
      openDirectory(parent, work.openedParent)
    }
    return work
  }
}
