internal import PosixAIO

/// The memory that the sockets of a loop send from.
///
/// Small blocks are kept for the next write, of whichever socket: between a write and the end of
/// its turn, each socket that is written to has one.
@safe
final class OutputBlocks {
  /// A block for small writes, in bytes.
  static let smallestByteCount = 1024

  /// The largest block, in bytes. More is spread over several, so that memory is freed as it is
  /// sent.
  static let largestByteCount = 64 * 1024

  /// The small blocks that a loop keeps, from its first write on: 8 KiB. Where more sockets than
  /// that are written to in a turn, malloc is as quick for what is so small.
  static let spareLimit = 8

  private var spares: [UnsafeMutableRawBufferPointer] = unsafe []
  private var isStocked = false

  deinit {
    while let spare = unsafe spares.popLast() { unsafe spare.deallocate() }
  }

  /// - Parameter byteCount: What is to be written, 1 or more. The block may have less room.
  func take(forAtMost byteCount: Int) -> OutputBuffer.Piece {
    guard byteCount > Self.smallestByteCount else {
      if !isStocked { stock() }
      return unsafe OutputBuffer.Piece(block: spares.popLast() ?? Self.make(Self.smallestByteCount))
    }
    var capacity = Self.smallestByteCount
    while capacity < min(byteCount, Self.largestByteCount) { capacity *= 2 }
    return unsafe OutputBuffer.Piece(block: Self.make(capacity))
  }

  private func stock() {
    isStocked = true
    unsafe spares.reserveCapacity(Self.spareLimit)
    for _ in 0..<Self.spareLimit { unsafe spares.append(Self.make(Self.smallestByteCount)) }
  }

  /// Keeps the memory of a piece or frees it.
  func put(_ piece: OutputBuffer.Piece) {
    if piece.isBlock, piece.byteCapacity == Self.smallestByteCount,
      unsafe spares.count < Self.spareLimit
    {
      unsafe spares.append(piece.emptied)
    } else {
      unsafe piece.emptied.deallocate()
    }
  }

  private static func make(_ byteCount: Int) -> UnsafeMutableRawBufferPointer {
    .allocate(byteCount: byteCount, alignment: IOBuffer.smallAlignment)
  }
}
