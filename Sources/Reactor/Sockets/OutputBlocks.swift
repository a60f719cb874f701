internal import PosixAIO

/// The memory from which a loop's sockets send copied bytes.
///
/// Block sizes are powers of two. A sent block is kept for the next write of any socket; each
/// socket holds one between a write and the end of its turn.
@safe
final class OutputBlocks {
  /// The smallest block, in bytes.
  static let smallestByteCount = 1024

  /// The largest block, in bytes. More bytes use several blocks, so that memory is freed as it is
  /// sent.
  static let largestByteCount = 64 * 1024

  /// The most bytes that a loop keeps in spare blocks.
  static let spareByteLimit = 256 * 1024

  /// Spare blocks by size, smallest first; each index doubles the size.
  #if !DEBUG
    @safe @exclusivity(unchecked)
  #endif
  private var spares = unsafe [[UnsafeMutableRawPointer]](
    repeating: [], count: place(of: largestByteCount) + 1)
  private var spareByteCount = 0

  deinit {
    unsafe spares.joined().forEach { unsafe $0.deallocate() }
  }

  /// Returns a block for bytes to be written.
  ///
  /// - Parameter byteCount: 1 or more. The block has at most the largest size.
  func take(forAtMost byteCount: Int) -> OutputBuffer.Piece {
    let place = Self.place(of: min(byteCount, Self.largestByteCount))
    let size = Self.smallestByteCount << place
    guard let memory = unsafe spares[place].popLast() else {
      return unsafe OutputBuffer.Piece(
        block: .allocate(byteCount: size, alignment: IOBuffer.smallAlignment))
    }
    spareByteCount -= size
    return unsafe OutputBuffer.Piece(
      block: UnsafeMutableRawBufferPointer(start: memory, count: size))
  }

  /// Keeps the memory of a piece for reuse, or frees it.
  func put(_ piece: OutputBuffer.Piece) {
    let size = piece.byteCapacity
    guard piece.isBlock, spareByteCount + size <= Self.spareByteLimit,
      let memory = unsafe piece.emptied.baseAddress
    else { return unsafe piece.emptied.deallocate() }
    unsafe spares[Self.place(of: size)].append(memory)
    spareByteCount += size
  }

  /// The index of the smallest blocks with room for `byteCount`, which is at most the largest size.
  private static func place(of byteCount: Int) -> Int {
    Int.bitWidth - max(0, (byteCount - 1) / smallestByteCount).leadingZeroBitCount
  }
}
