internal import PosixAIO

extension OutputBuffer {
  /// Memory with bytes to send.
  @safe
  struct Piece {
    /// Whose the memory is, and what becomes of it.
    enum Kind {
      /// A block of the loop's. Small writes are added to it.
      case block
      /// Taken over from an `IOBuffer`, and freed when its bytes are sent.
      case adopted
      /// The same, but given back.
      case lent(Connection.BufferHandler)
    }

    private let memory: UnsafeMutableRawBufferPointer
    private var unsent: Range<Int>
    let kind: Kind

    init(block memory: UnsafeMutableRawBufferPointer) {
      unsafe self.memory = memory
      unsent = 0..<0
      kind = .block
    }

    /// Takes over a buffer.
    ///
    /// - Parameter handler: Gets it back; without one its memory is freed.
    init(_ buffer: consuming IOBuffer, _ handler: Connection.BufferHandler? = nil) {
      unsent = 0..<buffer.count
      kind = handler.map { .lent($0) } ?? .adopted
      unsafe memory = buffer.relinquish()
    }

    var isBlock: Bool { if case .block = kind { true } else { false } }
    var byteCapacity: Int { unsafe memory.count }
    var count: Int { unsent.count }
    var room: Int { unsafe isBlock ? memory.count - unsent.upperBound : 0 }

    func unsent(atMost byteCount: Int) -> UnsafeRawBufferPointer {
      unsafe UnsafeRawBufferPointer(rebasing: memory[unsent].prefix(byteCount))
    }

    /// - Returns: How many bytes had room.
    mutating func append(_ bytes: UnsafeRawBufferPointer) -> Int {
      let count = min(room, bytes.count)
      let free = unsafe UnsafeMutableRawBufferPointer(rebasing: memory[unsent.upperBound...])
      unsafe free.copyMemory(from: UnsafeRawBufferPointer(rebasing: bytes[..<count]))
      unsent = unsent.lowerBound..<unsent.upperBound + count
      return count
    }

    /// - Returns: How many bytes it had of these.
    mutating func removeFirst(_ byteCount: Int) -> Int {
      let count = min(byteCount, unsent.count)
      unsent = unsent.lowerBound + count..<unsent.upperBound
      return count
    }

    /// The memory, which nobody uses any more.
    var emptied: UnsafeMutableRawBufferPointer { unsafe memory }

    /// The buffer as it was taken over. Nobody uses the piece any more.
    var buffer: IOBuffer { unsafe IOBuffer(adopting: memory, count: unsent.upperBound) }
  }

  /// A lent buffer whose owner is to be told.
  struct Settled {
    fileprivate let piece: Piece
    fileprivate let outcome: Connection.WriteOutcome

    init(_ piece: Piece, _ outcome: Connection.WriteOutcome) {
      self.piece = piece
      self.outcome = outcome
    }

    /// Gives the buffer back. To be called once.
    func tell() {
      guard case .lent(let handler) = piece.kind else { return }
      handler(outcome, piece.buffer)
    }

    /// Frees the buffer, and tells nobody.
    func drop() {
      unsafe piece.emptied.deallocate()
    }
  }
}
