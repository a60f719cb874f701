/// Memory for merged writes. It keeps a few pieces for reuse.
@safe
struct MergeMemory: ~Copyable {
  /// The size of one piece, and the most bytes of one merged write.
  static let byteCount = 256 * 1024
  private static let keptCount = 16

  private var free: [UnsafeMutableRawPointer] = unsafe []

  deinit {
    for index in 0..<(unsafe free.count) {
      unsafe free[index].deallocate()
    }
  }

  mutating func take() -> UnsafeMutableRawPointer {
    unsafe free.popLast()
      ?? .allocate(byteCount: Self.byteCount, alignment: IOBuffer.pageAlignment)
  }

  mutating func put(_ memory: UnsafeMutableRawPointer) {
    if unsafe free.count < Self.keptCount {
      unsafe free.append(memory)
    } else {
      unsafe memory.deallocate()
    }
  }
}
