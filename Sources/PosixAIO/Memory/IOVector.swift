/// Several buffers that are read or written as one piece, in order. The counterpart of a slice of
/// Rust's `IoSlice` or `IoSliceMut`.
@safe
public struct IOVector: ~Copyable, Sendable {
  @safe
  private struct Piece: @unchecked Sendable {
    let memory: UnsafeMutableRawBufferPointer
    var count: Int
  }

  // Sendable: each piece is the relinquished memory of a buffer, and the vector cannot be copied.
  private var pieces: [Piece] = []

  /// Creates a vector without buffers.
  public init() {}

  deinit {
    for piece in pieces {
      // The memory came from a buffer, so a buffer may own it again, and frees it.
      _ = unsafe IOBuffer(adopting: piece.memory, count: piece.count)
    }
  }

  /// Appends a buffer to the others.
  ///
  /// - Parameter buffer: Moves in, with any capacity.
  public mutating func append(_ buffer: consuming IOBuffer) {
    let count = buffer.count
    unsafe pieces.append(Piece(memory: buffer.relinquish(), count: count))
  }

  /// Removes the first buffer.
  ///
  /// - Returns: The buffer; nil if there is none.
  public mutating func popFirst() -> IOBuffer? {
    guard !pieces.isEmpty else { return nil }
    let piece = pieces.removeFirst()
    return unsafe IOBuffer(adopting: piece.memory, count: piece.count)
  }

  /// The number of buffers.
  public var count: Int { pieces.count }

  /// The total number of valid bytes.
  public var byteCount: Int { pieces.reduce(0) { $0 + $1.count } }

  /// The whole memory of each buffer.
  var capacities: [UnsafeMutableRawBufferPointer] {
    unsafe pieces.map { unsafe $0.memory }
  }

  /// The valid bytes of each buffer.
  var contents: [UnsafeMutableRawBufferPointer] {
    unsafe pieces.map { unsafe UnsafeMutableRawBufferPointer(rebasing: $0.memory[..<$0.count]) }
  }

  /// Declares the first bytes of the vector's memory valid, and no others.
  mutating func setCount(_ byteCount: Int) {
    var rest = byteCount
    for index in pieces.indices {
      pieces[index].count = unsafe min(rest, pieces[index].memory.count)
      rest -= pieces[index].count
    }
  }
}
