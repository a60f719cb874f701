#if NIO
  internal import NIOCore

  /// Reuses the memory of large buffers that their users have dropped, because the pages of fresh
  /// memory have to be faulted in.
  final class BufferPool {
    /// Buffers of at least this many bytes are kept.
    private static let leastByteCount = 32 * 1024
    /// The most buffers, and the most bytes of one.
    private static let buffersLimit = 8
    private static let mostByteCount = 1024 * 1024

    private var buffers: [ByteBuffer] = []
    private var next = 0

    /// - Returns: A buffer without readable bytes, with room for `byteCount`.
    func take(_ byteCount: Int) -> ByteBuffer {
      guard (Self.leastByteCount...Self.mostByteCount).contains(byteCount) else {
        return ByteBufferAllocator().buffer(capacity: byteCount)
      }
      // From the first, so that few buffers stay in the processor's cache.
      for index in buffers.indices where buffers[index].storageCapacity >= byteCount {
        let isFree = buffers[index].modifyIfUniquelyOwned { $0.clear() } != nil
        if isFree { return buffers[index] }
      }
      let buffer = ByteBufferAllocator().buffer(capacity: byteCount)
      if buffers.count < Self.buffersLimit {
        buffers.append(buffer)
      } else {
        buffers[next] = buffer
        next = (next + 1) % buffers.count
      }
      return buffer
    }
  }
#endif
