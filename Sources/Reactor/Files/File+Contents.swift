public import PosixAIO
public import SystemPackage

/// Whole files.
extension File {
  /// The most bytes that reading a whole file gives, unless another number is asked for: 16 MiB.
  public static let defaultContentsLimit = 16 * 1024 * 1024

  /// Gets a file's bytes, or why there are none.
  public typealias ContentsHandler = (consuming Result<IOBuffer, FileError>) -> Void

  /// Reads a whole file.
  ///
  /// The file is read to where it ends by then: also one of `/proc`, whose size says 0, and one
  /// that grows or shrinks meanwhile.
  ///
  /// - Parameters:
  ///   - path: Of a regular file; of something else `EINVAL` is the outcome, `EISDIR` of a
  ///     directory.
  ///   - maximumByteCount: The most bytes; of a larger file `EFBIG` is the outcome.
  ///   - loop: Whose thread this is.
  ///   - handler: Called once, when the file is closed again.
  /// - Returns: The work, to cancel it.
  @discardableResult
  public static func contents(
    of path: FilePath, maximumByteCount: Int = defaultContentsLimit, on loop: EventLoop,
    _ handler: @escaping ContentsHandler
  ) -> FileWork {
    let work = WholeFileRead(
      loop.core, maximumByteCount: maximumByteCount, closesFile: true, handler)
    // Without waiting for the other end, should the name be a pipe's.
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
    // The read of a loop that has ended is refused.
    core.complete { [self] in work.start(self) }
    return work
  }

  /// Replaces a file at once and wholly, and durably: afterwards the name stands for the old bytes
  /// or for all of the new ones, also after a power cut.
  ///
  /// The bytes go to a temporary file in the same directory, which is synced and gets the name;
  /// then the directory is synced. A symbolic link is replaced itself, and what it leads to stays
  /// as it is. Owner, access control lists and extended attributes of the old file are not kept.
  ///
  /// - Parameters:
  ///   - path: Of the file, which need not exist; its directory must.
  ///   - buffer: The new content. Moves in, and is gone afterwards.
  ///   - permissions: Of the new file, no umask taken off; nil keeps those of the old one. Where
  ///     there is none, the new file gets ``defaultPermissions`` less the umask.
  ///   - loop: Whose thread this is.
  ///   - handler: Called once. After an error the old file is what it was, and no temporary file is
  ///     left; except that when syncing the directory was what failed (the operation is `sync`, and
  ///     the path the directory's), the new file is in place, and a power cut may bring the old one
  ///     back.
  /// - Returns: The work, to cancel it until the file gets its name.
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

  /// Replaces a file below this directory at once, wholly and durably; see
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
