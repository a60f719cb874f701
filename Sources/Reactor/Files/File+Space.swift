internal import Glibc
public import PosixAIO
internal import SystemPackage

/// The file's space on the disk and in the page cache. Each call runs on a helper thread. A
/// negative or an empty range is `EINVAL`, and after ``close(_:)`` each call fails with `EBADF`.
extension File {
  /// What ``allocate(_:as:_:)`` does with a range of a file.
  public enum Allocation: Sendable {
    /// Reserves the space, so that writes there cannot fail with `ENOSPC`. The file grows if the
    /// range ends behind it.
    case extending
    /// Reserves the space, and the file's size stays.
    case keepingSize
    /// Gives the space back. The range reads as zeros, and the file's size stays.
    case hole
    /// Has the range read as zeros and keeps its space. The file grows if the range ends behind it.
    case zeros
  }

  /// How a file will be used, for the kernel to plan by.
  public enum Advice: Sendable {
    /// Nothing special.
    case normal
    /// From the start to the end: the kernel reads further ahead.
    case sequential
    /// Here and there: the kernel does not read ahead.
    case random
    /// Soon: the kernel starts to read it into the page cache.
    case willNeed
    /// Not again: what is clean leaves the page cache.
    case dontNeed
    /// Once.
    case noReuse
  }

  /// Reserves space or gives it back. Wraps `fallocate(2)`.
  ///
  /// - Parameters:
  ///   - range: In bytes from the file's start, not empty.
  ///   - kind: What happens to the range.
  ///   - handler: Gets the outcome: `ENOSPC`, or `ENOTSUP` where the file system does not have it;
  ///     nothing is imitated by writing zeros.
  public func allocate(
    _ range: Range<Int64>, as kind: Allocation = .extending,
    _ handler: @escaping (Result<Void, FileError>) -> Void
  ) {
    guard Self.extent(of: range) != nil else { return refuse(.allocate, range, handler) }
    let path = path
    offload(
      as: .allocate,
      { (descriptor) throws(FileError) in
        try FileSystemCalls.allocate(descriptor, path: path, kind.systemKind, range)
      }, handler)
  }

  /// Tells the kernel how a range will be used. Wraps `posix_fadvise(2)`.
  ///
  /// - Parameters:
  ///   - advice: How.
  ///   - range: In bytes from the file's start; nil is all of it.
  ///   - handler: Gets the outcome. Advice that the kernel ignores is a success.
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

  /// Has the kernel start to write what is dirty in a range, so that a later sync has less to do.
  /// Promises nothing: only a sync does. Wraps `sync_file_range(2)` with `SYNC_FILE_RANGE_WRITE`.
  ///
  /// - Parameters:
  ///   - range: In bytes from the file's start; nil is all of it.
  ///   - handler: Gets the outcome.
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

  /// A range as the kernel takes it, in which a byteCount of 0 reaches to the end; nil for a
  /// negative or an empty range.
  static func extent(of range: Range<Int64>?) -> (offset: Int64, byteCount: Int64)? {
    guard let range else { return (0, 0) }
    guard range.lowerBound >= 0, !range.isEmpty else { return nil }
    return (range.lowerBound, range.upperBound - range.lowerBound)
  }

  /// Reports that a range has no extent.
  func refuse<Value>(
    _ operation: FileError.Operation, _ range: Range<Int64>?,
    _ handler: @escaping (Result<Value, FileError>) -> Void
  ) {
    core.refuse(operation, path, at: range?.lowerBound, .invalidArgument, handler)
  }
}

extension File.Allocation {
  fileprivate var systemKind: LinuxFileCalls.Allocation {
    switch self {
    case .extending: .extending
    case .keepingSize: .keepingSize
    case .hole: .hole
    case .zeros: .zeros
    }
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
