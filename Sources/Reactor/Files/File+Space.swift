internal import Glibc
public import PosixAIO
internal import SystemPackage

/// The file's space on the disk and in the page cache. Each call runs on a helper thread. It fails
/// with `EINVAL` for a negative or empty range, and with `EBADF` after ``close(_:)``.
extension File {
  /// The effect of ``allocate(_:as:_:)`` on a range of a file.
  public typealias Allocation = FileAllocation

  /// How a file will be used, as advice for the kernel.
  public enum Advice: Sendable {
    /// No special pattern.
    case normal
    /// From start to end: the kernel reads further ahead.
    case sequential
    /// In random order: the kernel does not read ahead.
    case random
    /// Soon: the kernel starts to read the range into the page cache.
    case willNeed
    /// Not again: clean pages are removed from the page cache.
    case dontNeed
    /// Only once.
    case noReuse
  }

  /// Allocates or deallocates space. Wraps `fallocate(2)`.
  ///
  /// - Parameters:
  ///   - range: In bytes from the file's start, not empty.
  ///   - kind: The effect on the range.
  ///   - handler: Receives the result: `ENOSPC`, or `ENOTSUP` if the file system does not support
  ///     the operation. It is never emulated by writing zeros.
  public func allocate(
    _ range: Range<Int64>, as kind: Allocation = .extending,
    _ handler: @escaping (Result<Void, FileError>) -> Void
  ) {
    guard Self.extent(of: range) != nil else { return refuse(.allocate, range, handler) }
    let path = path
    offload(
      as: .allocate,
      { (descriptor) throws(FileError) in
        try FileSystemCalls.allocate(descriptor, path: path, kind, range)
      }, handler)
  }

  /// Advises the kernel how a range will be used. Wraps `posix_fadvise(2)`.
  ///
  /// - Parameters:
  ///   - advice: The expected use.
  ///   - range: In bytes from the file's start; nil is the whole file.
  ///   - handler: Receives the result. Advice that the kernel ignores counts as success.
  public func advise(
    _ advice: Advice, in range: Range<Int64>? = nil,
    _ handler: @escaping (Result<Void, FileError>) -> Void = { _ in }
  ) {
    guard let (offset, byteCount) = Self.extent(of: range) else {
      return refuse(.advise, range, handler)
    }
    let path = path
    offload(
      as: .advise,
      { (descriptor) throws(FileError) in
        try FileSystemCalls.advise(
          descriptor, path: path, advice.systemAdvice, offset: offset, byteCount: byteCount)
      }, handler)
  }

  /// Starts writing dirty pages of a range to the disk, so that a sync afterwards has less to do.
  /// This does not make data durable; only a sync does. Wraps `sync_file_range(2)` with
  /// `SYNC_FILE_RANGE_WRITE`.
  ///
  /// - Parameters:
  ///   - range: In bytes from the file's start; nil is the whole file.
  ///   - handler: Receives the result.
  public func startWriteBack(
    in range: Range<Int64>? = nil,
    _ handler: @escaping (Result<Void, FileError>) -> Void = { _ in }
  ) {
    guard let (offset, byteCount) = Self.extent(of: range) else {
      return refuse(.startWriteBack, range, handler)
    }
    let path = path
    offload(
      as: .startWriteBack,
      { (descriptor) throws(FileError) in
        try FileSystemCalls.startWriteBack(
          descriptor, path: path, offset: offset, byteCount: byteCount)
      }, handler)
  }

  /// Converts a range to the kernel's form, in which a byte count of 0 extends to the end; nil for
  /// a negative or empty range.
  static func extent(of range: Range<Int64>?) -> (offset: Int64, byteCount: Int64)? {
    guard let range else { return (0, 0) }
    guard range.lowerBound >= 0, !range.isEmpty else { return nil }
    return (range.lowerBound, range.upperBound - range.lowerBound)
  }

  /// Reports that a range is invalid.
  func refuse<Value>(
    _ operation: FileError.Operation, _ range: Range<Int64>?,
    _ handler: @escaping (Result<Value, FileError>) -> Void
  ) {
    core.refuse(operation, path, at: range?.lowerBound, .invalidArgument, handler)
  }
}

extension File.Advice {
  fileprivate var systemAdvice: Int32 {
    switch self {
    case .normal: POSIX_FADV_NORMAL
    case .sequential: POSIX_FADV_SEQUENTIAL
    case .random: POSIX_FADV_RANDOM
    case .willNeed: POSIX_FADV_WILLNEED
    case .dontNeed: POSIX_FADV_DONTNEED
    case .noReuse: POSIX_FADV_NOREUSE
    }
  }
}
