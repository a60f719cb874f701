public import SystemPackage

/// Writes a buffer to a file. Wraps `aio_write(3)`; the counterpart of nix's `AioWrite`.
public final class AIOWrite: AIOBufferTransfer, AIO {
  /// Creates a write of a buffer's valid bytes. The operation owns the buffer until it is taken
  /// back.
  ///
  /// - Parameters:
  ///   - fileDescriptor: Open for writing.
  ///   - offset: In bytes from the start of the file; ignored with `O_APPEND`.
  ///   - buffer: Moves in. ``AIOBufferTransfer/takeBuffer()`` gives it back.
  ///   - priority: `0...20`; see ``AIOOperation/priority``. A sync would overtake writes with more
  ///     than 0, so it is refused while such a write is in flight.
  ///   - notification: How the end is announced.
  public init(
    _ fileDescriptor: FileDescriptor, offset: Int64, _ buffer: consuming IOBuffer,
    priority: Int32 = 0, notification: AIONotification = .none
  ) {
    let byteCount = buffer.count
    super.init(
      fileDescriptor, offset: offset, isWrite: true, buffer, byteCount: byteCount,
      priority: priority, notification: notification)
  }

  /// Creates a write of the caller's own memory.
  ///
  /// - Parameters:
  ///   - fileDescriptor: Open for writing.
  ///   - offset: In bytes from the start of the file; ignored with `O_APPEND`.
  ///   - memory: Must stay allocated and unchanged until the operation has ended, even if you drop
  ///     the operation before.
  ///   - priority: `0...20`; see ``AIOOperation/priority``.
  ///   - notification: How the end is announced.
  @unsafe
  public init(
    _ fileDescriptor: FileDescriptor, offset: Int64, unsafeFrom memory: UnsafeRawBufferPointer,
    priority: Int32 = 0, notification: AIONotification = .none
  ) {
    // glibc only reads it.
    unsafe super.init(
      fileDescriptor, offset: offset, isWrite: true, unsafe: .init(mutating: memory),
      priority: priority, notification: notification)
  }

  /// Takes the result of a finished write, once.
  ///
  /// - Returns: The number of bytes written: possibly fewer than asked for, at a limit of the file
  ///   size or when the disk is full.
  /// - Throws: As ``AIO/takeResult()``.
  public func takeResult() throws(Errno) -> Int {
    try finish()
  }
}
