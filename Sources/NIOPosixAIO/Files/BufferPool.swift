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
      if buffers.count < Self.buffersLimit {
        let buffer = ByteBufferAllocator().buffer(capacity: byteCount)
        buffers.append(buffer)
        return buffer
      }
      // If someone still uses the memory, this allocates other memory.
      buffers[next].clear(minimumCapacity: byteCount)
      let buffer = buffers[next]
      next = (next + 1) % buffers.count
      return buffer
    }
  }
#endif
