internal import PosixAIO

/// The memory that the sockets of a loop send copied bytes from.
///
/// Blocks have a size of a power of two. Those that were sent are kept for the next write of any
/// socket: between a write and the end of its turn, each socket that is written to has one.
@safe
final class OutputBlocks {
  /// The smallest block, in bytes.
  static let smallestByteCount = 1024

  /// The largest block, in bytes. More is spread over several, so that memory is freed as it is
  /// sent.
  static let largestByteCount = 64 * 1024

  /// The most bytes that a loop keeps for later writes.
  static let spareByteLimit = 256 * 1024

  /// By size: the smallest first, those of each next place twice as large.
  #if !DEBUG
    @safe @exclusivity(unchecked)
  #endif
  private var spares = unsafe [[UnsafeMutableRawPointer]](
    repeating: [], count: place(of: largestByteCount) + 1)
  private var spareByteCount = 0

  deinit {
    unsafe spares.joined().forEach { unsafe $0.deallocate() }
  }

  /// Lends a block for bytes that are to be written.
  ///
  /// - Parameter byteCount: 1 or more. The block may have less room, down to the largest size.
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

  /// Keeps the memory of a piece or frees it.
  func put(_ piece: OutputBuffer.Piece) {
    let size = piece.byteCapacity
    guard piece.isBlock, spareByteCount + size <= Self.spareByteLimit,
      let memory = unsafe piece.emptied.baseAddress
    else { return unsafe piece.emptied.deallocate() }
    unsafe spares[Self.place(of: size)].append(memory)
    spareByteCount += size
  }

  /// The first place whose blocks have so many bytes, at most the largest size.
  private static func place(of byteCount: Int) -> Int {
    Int.bitWidth - max(0, (byteCount - 1) / smallestByteCount).leadingZeroBitCount
  }
}
