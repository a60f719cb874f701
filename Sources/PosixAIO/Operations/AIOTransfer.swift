internal import CPosixAIO
internal import Glibc
internal import SystemPackage

/// What reads and writes have in common: a place in the file, and memory.
@safe
public class AIOTransfer: AIOOperation {
  /// Where in the file, in bytes from its start. Ignored by descriptors that have no position, and
  /// by writes with `O_APPEND`. A negative one fails with `EINVAL` in the result. Traps when it is
  /// changed in flight.
  public var offset: Int64 {
    willSet {
      require(state == .idle, "AIOTransfer: the offset cannot be changed while in flight")
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

  /// Moves `byteCount` bytes from or to the start of the block's memory.
  final func prepare(byteCount: Int) {
    unsafe caio_prepare(
      block.control, Int32(block.isWrite ? LIO_WRITE : LIO_READ), fileDescriptor.rawValue,
      block.memory?.baseAddress, byteCount, offset)
  }
}

/// A transfer with one buffer.
@safe
public class AIOBufferTransfer: AIOTransfer {
  /// The bytes to move, at most.
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

  /// Gives the buffer back, or nil if it was taken before or the memory is the caller's own. Traps
  /// while the operation is in flight. Without its buffer the operation is refused with `EFAULT`
  /// when it is submitted again.
  public final func takeBuffer() -> IOBuffer? {
    require(!isInProgress, "AIOOperation: the buffer cannot be taken while it is in flight")
    return block.takeBuffer()
  }

  override func prepare() throws(Errno) {
    guard unsafe block.memory != nil else { throw .badAddress }
    prepare(byteCount: byteCount)
  }
}
