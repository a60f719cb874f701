public import SystemPackage

/// Writes several buffers to a file, one after the other. The counterpart of nix's `AioWritev`,
/// which exists on FreeBSD only; glibc has no such call, so this is one `aio_write(3)`.
public final class AIOWritev: AIOVectorTransfer, AIO {
  /// Creates a write of the valid bytes of buffers, which the operation owns until they are taken
  /// back.
  ///
  /// - Parameters:
  ///   - fileDescriptor: Open for writing.
  ///   - offset: In bytes from the start of the file; ignored with `O_APPEND`.
  ///   - vector: At most `IOV_MAX` (1024) buffers, or submitting throws `EINVAL`. Moves in;
  ///     ``AIOVectorTransfer/takeVector()`` gives it back.
  ///   - priority: `0...20`; see ``AIOOperation/priority``.
  ///   - notification: How the end is announced.
  public init(
    _ fileDescriptor: FileDescriptor, offset: Int64, _ vector: consuming IOVector,
    priority: Int32 = 0, notification: AIONotification = .none
  ) {
    super.init(
      fileDescriptor, offset: offset, isWrite: true, vector, priority: priority,
      notification: notification)
  }

  /// Creates a write of the caller's own memory. Adjacent pieces are written without a copy.
  ///
  /// - Parameters:
  ///   - fileDescriptor: Open for writing.
  ///   - offset: In bytes from the start of the file; ignored with `O_APPEND`.
  ///   - memory: At most `IOV_MAX` (1024) pieces with `SSIZE_MAX` bytes in total, or submitting
  ///     throws `EINVAL`. They must stay allocated and unchanged until the operation has ended,
  ///     even if you drop the operation before.
  ///   - priority: `0...20`; see ``AIOOperation/priority``.
  ///   - notification: How the end is announced.
  @unsafe
  public init(
    _ fileDescriptor: FileDescriptor, offset: Int64, unsafeFrom memory: [UnsafeRawBufferPointer],
    priority: Int32 = 0, notification: AIONotification = .none
  ) {
    // glibc only reads it.
    unsafe super.init(
      fileDescriptor, offset: offset, isWrite: true,
      unsafe: memory.map { unsafe .init(mutating: $0) }, priority: priority,
      notification: notification)
  }

  /// Takes the result of a finished write, once.
  ///
  /// - Returns: The number of bytes written from all buffers together: possibly fewer than asked
  ///   for, at a limit of the file size or when the disk is full.
  /// - Throws: As ``AIO/takeResult()``.
  public func takeResult() throws(Errno) -> Int {
    try finish()
  }
}
