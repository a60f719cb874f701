public import SystemPackage

/// Reads from a file into several buffers, filling one after the other. The counterpart of nix's
/// `AioReadv`, which exists on FreeBSD only; glibc has no such call, so this is one `aio_read(3)`.
public final class AIOReadv: AIOVectorTransfer, AIO {
  /// Creates a read into buffers, which the operation owns until they are taken back.
  ///
  /// - Parameters:
  ///   - fileDescriptor: Open for reading.
  ///   - offset: In bytes from the start of the file.
  ///   - vector: At most `IOV_MAX` (1024) buffers, or submitting throws `EINVAL`. They are filled
  ///     up to their capacities. Moves in; ``AIOVectorTransfer/takeVector()`` gives it back.
  ///   - priority: `0...20`; see ``AIOOperation/priority``.
  ///   - notification: How the end is announced.
  public init(
    _ fileDescriptor: FileDescriptor, offset: Int64, into vector: consuming IOVector,
    priority: Int32 = 0, notification: AIONotification = .none
  ) {
    super.init(
      fileDescriptor, offset: offset, isWrite: false, vector, priority: priority,
      notification: notification)
  }

  /// Creates a read into the caller's own memory. Adjacent pieces are filled without a copy.
  ///
  /// - Parameters:
  ///   - fileDescriptor: Open for reading.
  ///   - offset: In bytes from the start of the file.
  ///   - memory: At most `IOV_MAX` (1024) pieces with `SSIZE_MAX` bytes in total, or submitting
  ///     throws `EINVAL`. They must stay allocated, and must not be accessed, until you take the
  ///     result; if you drop the operation before, until it has ended.
  ///   - priority: `0...20`; see ``AIOOperation/priority``.
  ///   - notification: How the end is announced.
  @unsafe
  public init(
    _ fileDescriptor: FileDescriptor, offset: Int64,
    unsafeInto memory: [UnsafeMutableRawBufferPointer], priority: Int32 = 0,
    notification: AIONotification = .none
  ) {
    unsafe super.init(
      fileDescriptor, offset: offset, isWrite: false, unsafe: memory, priority: priority,
      notification: notification)
  }

  /// Takes the result of a finished read, once.
  ///
  /// - Returns: The number of bytes read into all buffers together: fewer than they hold at the end
  ///   of the file. The buffers' counts say where the bytes are.
  /// - Throws: As ``AIO/takeResult()``.
  public func takeResult() throws(Errno) -> Int {
    let count = try finish()
    pieces.scatter(count, from: block)
    block.vector?.setCount(count)
    return count
  }
}
