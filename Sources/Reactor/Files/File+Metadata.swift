public import PosixAIO
public import SystemPackage

/// The file's metadata. Each call runs on a helper thread and is not ordered with reads and writes:
/// if the order matters, wait for those first. After ``close(_:)`` each call fails with `EBADF`.
extension File {
  /// Returns the file's metadata. Wraps `fstat(2)`.
  ///
  /// - Parameter handler: Receives the metadata.
  public func status(
    _ handler: @escaping (Result<FileStatus, FileError>) -> Void
  ) {
    let path = path
    offload(
      as: .status,
      { (descriptor) throws(FileError) in
        try FileSystemCalls.status(of: descriptor, path: path)
      }, handler)
  }

  /// Sets the file's size. Bytes after the new end are removed, and added bytes read as zeros.
  /// Wraps `ftruncate(2)`.
  ///
  /// - Parameters:
  ///   - byteCount: The new size, 0 or more.
  ///   - handler: Receives the result. The error is `EFBIG`, for example, or `EINVAL` for a
  ///     negative size or a file that is open for reading only. The error's offset is the new size.
  public func truncate(
    to byteCount: Int64, _ handler: @escaping (Result<Void, FileError>) -> Void
  ) {
    guard byteCount >= 0 else {
      return core.refuse(.truncate, path, at: byteCount, .invalidArgument, handler)
    }
    let path = path
    offload(
      as: .truncate,
      { (descriptor) throws(FileError) in
        try FileSystemCalls.truncate(descriptor, path: path, to: byteCount)
      }, handler)
  }

  /// Changes the file's permissions. Wraps `fchmod(2)`, which does not apply the umask.
  ///
  /// - Parameters:
  ///   - permissions: The complete new permissions, `0...0o7777`.
  ///   - handler: Receives the result: `EPERM` if the file belongs to another user.
  public func setPermissions(
    _ permissions: FilePermissions, _ handler: @escaping (Result<Void, FileError>) -> Void
  ) {
    let path = path
    offload(
      as: .setPermissions,
      { (descriptor) throws(FileError) in
        try FileSystemCalls.setPermissions(descriptor, path: path, permissions)
      }, handler)
  }

  /// Changes the file's owner. Wraps `fchown(2)`, which also clears the set-user-ID and
  /// set-group-ID bits of a program.
  ///
  /// - Parameters:
  ///   - user: The user ID of the new owner; nil leaves it unchanged.
  ///   - group: The new group ID; nil leaves it unchanged.
  ///   - handler: Receives the result: `EPERM` if the process may not give the file to this user or
  ///     group.
  public func setOwner(
    user: UInt32? = nil, group: UInt32? = nil,
    _ handler: @escaping (Result<Void, FileError>) -> Void
  ) {
    let path = path
    offload(
      as: .setOwner,
      { (descriptor) throws(FileError) in
        try FileSystemCalls.setOwner(descriptor, path: path, user: user, group: group)
      }, handler)
  }

  /// Changes the file's times. Wraps `futimens(2)`.
  ///
  /// - Parameters:
  ///   - accessed: The time of the last read; nil leaves it unchanged.
  ///   - modified: The time of the last change of the content; nil leaves it unchanged.
  ///   - handler: Receives the result.
  public func setTimes(
    accessed: FileStatus.Time? = nil, modified: FileStatus.Time? = nil,
    _ handler: @escaping (Result<Void, FileError>) -> Void
  ) {
    let path = path
    offload(
      as: .setTimes,
      { (descriptor) throws(FileError) in
        try FileSystemCalls.setTimes(
          descriptor, path: path, accessed: accessed, modified: modified)
      }, handler)
  }
}
