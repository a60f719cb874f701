package import PosixAIO

/// A loop's pool of chunk memory: a reader reuses memory that another has finished with.
///
/// Page-aligned memory, which direct reads need, is expensive to allocate: malloc cuts it out of
/// twice as much. A server of small files would pay that for each file.
@safe
package final class ChunkPool {
  /// The most bytes that the pool keeps.
  package static let byteLimit = 4 * 1024 * 1024

  /// Spare memory by size: one page first; each index doubles the size.
  #if !DEBUG
    @safe @exclusivity(unchecked)
  #endif
  private var spares = unsafe [[UnsafeMutableRawPointer]](repeating: [], count: placeCount)
  /// The bytes that the pool holds.
  private(set) var byteCount = 0

  deinit {
    unsafe spares.joined().forEach { unsafe $0.deallocate() }
  }

  /// Returns an empty buffer for at least `byteCount` bytes. A buffer too large for the pool gets
  /// exactly that capacity.
  package func take(_ byteCount: Int) -> IOBuffer {
    guard byteCount <= Self.byteLimit else { return IOBuffer(capacity: byteCount) }
    let place = Self.place(of: byteCount)
    let capacity = IOBuffer.pageAlignment << place
    guard let memory = unsafe spares[place].popLast() else { return IOBuffer(capacity: capacity) }
    self.byteCount -= capacity
    // The memory came from an IOBuffer of this capacity, and the pool is its only owner.
    return unsafe IOBuffer(
      adopting: UnsafeMutableRawBufferPointer(start: memory, count: capacity), count: 0)
  }

  /// Keeps a buffer's memory if the pool can use it. When the pool is full, the largest spare is
  /// dropped in favour of a smaller one.
  package func give(_ buffer: consuming IOBuffer) {
    let capacity = buffer.capacity
    guard capacity <= Self.byteLimit else { return }
    let place = Self.place(of: capacity)
    guard let memory = unsafe buffer.unsafeMemory.baseAddress,
      capacity == IOBuffer.pageAlignment << place,
      UInt(bitPattern: memory).isMultiple(of: UInt(IOBuffer.pageAlignment))
    else { return }
    while byteCount + capacity > Self.byteLimit {
      guard dropLargest(above: place) else { return }
    }
    _ = unsafe buffer.relinquish()
    unsafe spares[place].append(memory)
    byteCount += capacity
  }

  /// - Returns: Whether one was dropped.
  private func dropLargest(above place: Int) -> Bool {
    let largest = unsafe spares.lastIndex { unsafe !$0.isEmpty }
    guard let largest, largest > place, let memory = unsafe spares[largest].popLast() else {
      return false
    }
    unsafe memory.deallocate()
    byteCount -= IOBuffer.pageAlignment << largest
    return true
  }

  private static let placeCount = place(of: byteLimit) + 1

  /// The index of the smallest memory that is large enough. Its size is a power of two and at least
  /// a page, so that chunks of different sizes share memory.
  private static func place(of byteCount: Int) -> Int {
    let lastPage = (byteCount - 1) / IOBuffer.pageAlignment
    return Int.bitWidth - max(0, lastPage).leadingZeroBitCount
  }
}
