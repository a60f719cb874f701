internal import PosixAIO

/// A loop's memory for chunks: what one reader has done with, the next one gets.
///
/// Memory that begins at a page, as direct reads want it, is dear to allocate: malloc cuts it out
/// of twice as much. A server of small files would do that for each of them.
@safe
final class ChunkPool {
  /// The most bytes that wait here for a use.
  static let byteLimit = 4 * 1024 * 1024

  /// By size: the first are of a page, those of each next place twice as large.
  #if !DEBUG
    @safe @exclusivity(unchecked)
  #endif
  private var spares = unsafe [[UnsafeMutableRawPointer]](repeating: [], count: placeCount)
  /// What waits here for a use.
  private(set) var byteCount = 0

  deinit {
    unsafe spares.joined().forEach { unsafe $0.deallocate() }
  }

  /// An empty buffer for at least so many bytes. What is too large to be kept is as large as it has
  /// to be.
  func take(_ byteCount: Int) -> IOBuffer {
    guard byteCount <= Self.byteLimit else { return IOBuffer(capacity: byteCount) }
    let place = Self.place(of: byteCount)
    let capacity = IOBuffer.pageAlignment << place
    guard let memory = unsafe spares[place].popLast() else { return IOBuffer(capacity: capacity) }
    self.byteCount -= capacity
    // It was an IOBuffer's of this capacity, and is nobody's since.
    return unsafe IOBuffer(
      adopting: UnsafeMutableRawBufferPointer(start: memory, count: capacity), count: 0)
  }

  /// Keeps a buffer's memory, if there is a use for it, and room. Larger memory makes room for
  /// smaller, which would otherwise stay out for as long as nobody asks for the larger.
  func give(_ buffer: consuming IOBuffer) {
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

  /// - Returns: Whether there was one.
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

  /// The first place of which the memory is large enough: it has the size of the next power of two,
  /// and of a page at least, so that chunks of different sizes have use of the same memory.
  private static func place(of byteCount: Int) -> Int {
    let lastPage = (byteCount - 1) / IOBuffer.pageAlignment
    return Int.bitWidth - max(0, lastPage).leadingZeroBitCount
  }
}
