public import PosixAIO
public import SystemPackage

/// What a file is like, beside its bytes. Each call runs on a helper thread, in no order with reads
/// and writes: wait for those first where it matters.
extension File {
  /// Asks for the file's metadata. Wraps `fstat(2)`.
  ///
  /// - Parameter handler: Gets the metadata.
  /// - Throws: `EBADF` after ``close(_:)``. Nothing was started.
  public func status(
    _ handler: @escaping (Result<FileStatus, FileError>) -> Void
  ) throws(Errno) {
    let path = path
    try offload(
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
  ///   - handler: Gets the outcome, such as `EFBIG` or, for a file that is open for reading only,
  ///     `EINVAL`. Its error tells the new end as its offset.
  /// - Throws: `EBADF` after ``close(_:)``, `EINVAL` for a negative size. Nothing was started.
  public func truncate(
    to byteCount: Int64, _ handler: @escaping (Result<Void, FileError>) -> Void
  ) throws(Errno) {
    guard byteCount >= 0 else { throw .invalidArgument }
    let path = path
    try offload(
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
  /// - Throws: `EBADF` after ``close(_:)``. Nothing was started.
  public func setPermissions(
    _ permissions: FilePermissions, _ handler: @escaping (Result<Void, FileError>) -> Void
  ) throws(Errno) {
    let path = path
    try offload(
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
  /// - Throws: `EBADF` after ``close(_:)``. Nothing was started.
  public func setTimes(
    accessed: FileStatus.Time? = nil, modified: FileStatus.Time? = nil,
    _ handler: @escaping (Result<Void, FileError>) -> Void
  ) throws(Errno) {
    let path = path
    try offload(
      as: .setTimes,
      { (descriptor) throws(FileError) in
        try FileSystemCalls.setTimes(
          descriptor, path: path, accessed: accessed, modified: modified)
      }, handler)
  }
}
