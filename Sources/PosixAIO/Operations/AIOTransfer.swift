internal import CPosixAIO
internal import Glibc
internal import SystemPackage

/// The base class of reads and writes: an offset in the file, and memory.
@safe
public class AIOTransfer: AIOOperation {
  /// In bytes from the start of the file. Descriptors without a position ignore it, and so do
  /// writes with `O_APPEND`. A negative offset fails with `EINVAL` in the result. Setting it in
  /// flight traps.
  public var offset: Int64 {
    willSet {
      require(state == .idle, "AIOTransfer: the offset cannot be changed in flight")
    }
  }

  init(
    _ fileDescriptor: FileDescriptor, offset: Int64, isWrite: Bool, priority: Int32,
    notification: AIONotification
  ) {
    self.offset = offset
    super.init(fileDescriptor, priority: priority, notification: notification)
    block.isWrite = isWrite
  }

  /// Prepares a transfer of `byteCount` bytes from or to the start of the block's memory.
  final func prepare(byteCount: Int) {
    unsafe caio_prepare(
      block.control, Int32(block.isWrite ? LIO_WRITE : LIO_READ), fileDescriptor.rawValue,
      block.memory?.baseAddress, byteCount, offset)
  }
}

/// A transfer with one buffer.
@safe
public class AIOBufferTransfer: AIOTransfer {
  /// The most bytes to move.
  public final let byteCount: Int

  init(
    _ fileDescriptor: FileDescriptor, offset: Int64, isWrite: Bool, _ buffer: consuming IOBuffer,
    byteCount: Int, priority: Int32, notification: AIONotification
  ) {
    self.byteCount = byteCount
    super.init(
      fileDescriptor, offset: offset, isWrite: isWrite, priority: priority,
      notification: notification)
    block.adopt(buffer)
  }

  init(
    _ fileDescriptor: FileDescriptor, offset: Int64, isWrite: Bool,
    unsafe memory: UnsafeMutableRawBufferPointer, priority: Int32, notification: AIONotification
  ) {
    byteCount = memory.count
    super.init(
      fileDescriptor, offset: offset, isWrite: isWrite, priority: priority,
      notification: notification)
    unsafe block.memory = unsafe memory
  }

  /// Gives the buffer back. Traps while the operation is in flight.
  ///
  /// Without its buffer, the operation is refused with `EFAULT` if it is submitted again.
  ///
  /// - Returns: The buffer; nil if it was already taken, or if the memory is the caller's own.
  public final func takeBuffer() -> IOBuffer? {
    require(!isInProgress, "AIOOperation: the buffer cannot be taken in flight")
    return block.takeBuffer()
  }

  override func prepare() throws(Errno) {
    guard unsafe block.memory != nil else { throw .badAddress }
    prepare(byteCount: byteCount)
  }
}
