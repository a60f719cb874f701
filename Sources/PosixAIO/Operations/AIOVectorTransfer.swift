internal import SystemPackage

/// A transfer with several buffers, which has one result.
@safe
public class AIOVectorTransfer: AIOTransfer {
  final let pieces: PieceList
  private let ownsMemory: Bool

  init(
    _ fileDescriptor: FileDescriptor, offset: Int64, isWrite: Bool, _ vector: consuming IOVector,
    priority: Int32, notification: AIONotification
  ) {
    pieces = unsafe PieceList(isWrite ? vector.contents : vector.capacities)
    ownsMemory = true
    super.init(
      fileDescriptor, offset: offset, isWrite: isWrite, priority: priority,
      notification: notification)
    block.vector = consume vector
  }

  init(
    _ fileDescriptor: FileDescriptor, offset: Int64, isWrite: Bool,
    unsafe memory: [UnsafeMutableRawBufferPointer], priority: Int32, notification: AIONotification
  ) {
    pieces = unsafe PieceList(memory)
    ownsMemory = false
    super.init(
      fileDescriptor, offset: offset, isWrite: isWrite, priority: priority,
      notification: notification)
  }

  /// The number of buffers.
  public final var iovlen: Int { pieces.count }

  /// Gives the buffers back, or nil if they were taken before or the memory is the caller's own.
  /// Traps while the operation is in flight. Without its buffers the operation is refused with
  /// `EFAULT` when it is submitted again.
  public final func takeVector() -> IOVector? {
    require(!isInProgress, "AIOOperation: the buffers cannot be taken while it is in flight")
    return block.vector.take()
  }

  override func prepare() throws(Errno) {
    if ownsMemory, block.vector == nil { throw .badAddress }
    prepare(byteCount: try pieces.prepare(block))
  }
}
