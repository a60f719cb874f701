public import PosixAIO
public import SystemPackage

/// What a file is like, beside its bytes. Each call runs on a helper thread, in no order with reads
/// and writes: wait for those first where it matters. After ``close(_:)`` each fails with `EBADF`.
extension File {
  /// Asks for the file's metadata. Wraps `fstat(2)`.
  ///
  /// - Parameter handler: Gets the metadata.
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

  /// Makes the file end at `byteCount`: what is behind it goes, and what is missing reads as zeros.
  /// Wraps `ftruncate(2)`.
  ///
  /// - Parameters:
  ///   - byteCount: 0 or more.
  ///   - handler: Gets the outcome, such as `EFBIG` or, for a negative size and for a file that is
  ///     open for reading only, `EINVAL`. Its error tells the new end as its offset.
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

  /// Changes who may do what. Wraps `fchmod(2)`, which takes no umask off.
  ///
  /// - Parameters:
  ///   - permissions: All of them, `0...0o7777`.
  ///   - handler: Gets the outcome: `EPERM` if the file is somebody else's.
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

  /// Changes the file's times. Wraps `futimens(2)`.
  ///
  /// - Parameters:
  ///   - accessed: When the content was last read; nil leaves it.
  ///   - modified: When the content last changed; nil leaves it.
  ///   - handler: Gets the outcome.
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
