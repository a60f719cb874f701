public import SystemPackage

/// Reads from a file into a buffer. Wraps `aio_read(3)`; the counterpart of `nix`'s `AioRead`.
public final class AIORead: AIOBufferTransfer, AIO {
  /// Makes a read into a buffer that the operation owns meanwhile.
  ///
  /// - Parameters:
  ///   - fileDescriptor: Open for reading.
  ///   - offset: In bytes from the start of the file.
  ///   - buffer: Moves in; ``AIOBufferTransfer/takeBuffer()`` gives it back, its `count` set to the
  ///     bytes read.
  ///   - byteCount: At most the buffer's capacity, which is the default.
  ///   - priority: `0...20`; see ``AIOOperation/priority``.
  ///   - notification: How the end is announced.
  public init(
    _ fileDescriptor: FileDescriptor, offset: Int64, into buffer: consuming IOBuffer,
    byteCount: Int? = nil, priority: Int32 = 0, notification: AIONotification = .none
  ) {
    let byteCount = byteCount ?? buffer.capacity
    require(
      byteCount >= 0 && byteCount <= buffer.capacity,
      "AIORead: byteCount is at most the buffer's capacity")
    super.init(
      fileDescriptor, offset: offset, isWrite: false, buffer, byteCount: byteCount,
      priority: priority, notification: notification)
  }

  /// Makes a read into the caller's own memory.
  ///
  /// - Parameters:
  ///   - fileDescriptor: Open for reading.
  ///   - offset: In bytes from the start of the file.
  ///   - memory: Must stay allocated, and be touched by nobody else, until the operation is
  ///     finished: also if it is dropped before.
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

  /// The number of bytes read: fewer than asked at the end of the file, 0 behind it.
  ///
  /// - Throws: As ``AIO/takeResult()``.
  public func takeResult() throws(Errno) -> Int {
    let count = try finish()
    block.setBufferCount(count)
    return count
  }
}
