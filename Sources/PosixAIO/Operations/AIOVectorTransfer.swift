internal import SystemPackage

/// A transfer with several buffers and one result.
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

  /// The number of buffers. The counterpart of nix's `iovlen`.
  public final var segmentCount: Int { pieces.count }

  /// Gives the buffers back. Traps while the operation is in flight.
  ///
  /// Without its buffers, the operation is refused with `EFAULT` if it is submitted again.
  ///
  /// - Returns: The buffers; nil if they were already taken, or if the memory is the caller's own.
  public final func takeVector() -> IOVector? {
    require(!isInProgress, "AIOOperation: the buffers cannot be taken in flight")
    return block.vector.take()
  }

  override func prepare() throws(Errno) {
    if ownsMemory, block.vector == nil { throw .badAddress }
    prepare(byteCount: try pieces.prepare(block))
  }
}
