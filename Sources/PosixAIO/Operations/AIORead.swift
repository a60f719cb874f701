public import SystemPackage

/// Reads from a file into a buffer. Wraps `aio_read(3)`; the counterpart of nix's `AioRead`.
public final class AIORead: AIOBufferTransfer, AIO {
  /// Creates a read into a buffer, which the operation owns until it is taken back.
  ///
  /// Traps if `byteCount` is not within `0...buffer.capacity`.
  ///
  /// - Parameters:
  ///   - fileDescriptor: Open for reading.
  ///   - offset: In bytes from the start of the file.
  ///   - buffer: Moves in. ``AIOBufferTransfer/takeBuffer()`` gives it back, its `count` set to the
  ///     number of bytes read.
  ///   - byteCount: The most bytes to read; by default the buffer's capacity.
  ///   - priority: `0...20`; see ``AIOOperation/priority``.
  ///   - notification: How the end is announced.
  public init(
    _ fileDescriptor: FileDescriptor, offset: Int64, into buffer: consuming IOBuffer,
    byteCount: Int? = nil, priority: Int32 = 0, notification: AIONotification = .none
  ) {
    let byteCount = byteCount ?? buffer.capacity
    require(
      byteCount >= 0 && byteCount <= buffer.capacity,
      "AIORead: byteCount must be within 0 and the buffer's capacity")
    super.init(
      fileDescriptor, offset: offset, isWrite: false, buffer, byteCount: byteCount,
      priority: priority, notification: notification)
  }

  /// Creates a read into the caller's own memory.
  ///
  /// - Parameters:
  ///   - fileDescriptor: Open for reading.
  ///   - offset: In bytes from the start of the file.
  ///   - memory: Must stay allocated, and must not be accessed, until the operation has ended, even
  ///     if you drop the operation before.
  ///   - priority: `0...20`; see ``AIOOperation/priority``.
  ///   - notification: How the end is announced.
  @unsafe
  public init(
    _ fileDescriptor: FileDescriptor, offset: Int64,
    unsafeInto memory: UnsafeMutableRawBufferPointer, priority: Int32 = 0,
    notification: AIONotification = .none
  ) {
    unsafe super.init(
      fileDescriptor, offset: offset, isWrite: false, unsafe: memory, priority: priority,
      notification: notification)
  }

  /// Takes the result of a finished read, once.
  ///
  /// - Returns: The number of bytes read: fewer than asked for at the end of the file, 0 after it.
  /// - Throws: As ``AIO/takeResult()``.
  public func takeResult() throws(Errno) -> Int {
    let count = try finish()
    block.setBufferCount(count)
    return count
  }
}
