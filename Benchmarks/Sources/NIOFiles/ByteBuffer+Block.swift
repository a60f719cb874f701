internal import CPeers
internal import Measuring
internal import NIOCore

extension ByteBufferAllocator {
  /// A block that is ready to be written.
  func block() -> ByteBuffer {
    var block = buffer(capacity: Job.blockSize)
    block.writeRepeatingByte(0, count: Job.blockSize)
    return block
  }
}

extension ByteBuffer {
  /// The first eight bytes of what was read; nil if it is not whole.
  func firstWord(ofWhole byteCount: Int) -> UInt64? {
    readableBytes == byteCount
      ? getInteger(at: readerIndex, endianness: .host, as: UInt64.self) : nil
  }

  /// Marks the block as the one that belongs to this place.
  mutating func fill(block: Int64) {
    setInteger(bench_pattern(block), at: readerIndex, endianness: .host)
  }
}
