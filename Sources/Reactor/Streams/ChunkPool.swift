internal import PosixAIO

/// A loop's memory for chunks: what one reader has done with, the next one gets.
///
/// Memory that begins at a page, as direct reads want it, is dear to allocate: malloc cuts it out
/// of twice as much. A server of small files would do that for each of them.
@safe
final class ChunkPool {
  /// The most bytes that wait here for a use.
  static let byteLimit = 4 * 1024 * 1024

  private var spares: [Int: [UnsafeMutableRawBufferPointer]] = unsafe [:]
  /// What waits here for a use.
  private(set) var byteCount = 0

  deinit {
    unsafe spares.values.joined().forEach { unsafe $0.deallocate() }
  }

  /// An empty buffer for at least so many bytes.
  func take(_ byteCount: Int) -> IOBuffer {
    let capacity = Self.capacity(for: byteCount)
    guard let memory = unsafe spares[capacity]?.popLast() else {
      return IOBuffer(capacity: capacity)
    }
    self.byteCount -= capacity
    // It was an IOBuffer's, and is nobody's since.
    return unsafe IOBuffer(adopting: memory, count: 0)
  }

  /// Keeps a buffer's memory, if there is room for it and a use.
  func give(_ buffer: consuming IOBuffer) {
    let capacity = buffer.capacity
    let address = unsafe UInt(bitPattern: buffer.unsafeMemory.baseAddress)
    guard capacity == Self.capacity(for: capacity), byteCount + capacity <= Self.byteLimit,
      address.isMultiple(of: UInt(IOBuffer.pageAlignment))
    else { return }
    byteCount += capacity
    unsafe spares[capacity, default: []].append(buffer.relinquish())
  }

  /// The next power of two, at least a page, so that chunks of different sizes have use of the same
  /// memory. What is too large to be kept is as large as it has to be.
  private static func capacity(for byteCount: Int) -> Int {
    guard byteCount <= byteLimit else { return byteCount }
    var capacity = IOBuffer.pageAlignment
    while capacity < byteCount { capacity *= 2 }
    return capacity
  }
}
