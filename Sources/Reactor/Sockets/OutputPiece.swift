internal import PosixAIO

extension OutputBuffer {
  /// Bytes to send, in memory as a rule.
  @safe
  struct Piece {
    /// Whose the bytes are, and what becomes of the memory.
    enum Kind {
      /// A block of the loop's. Small writes are added to it.
      case block
      /// Taken over from an `IOBuffer`, and freed when its bytes are sent.
      case adopted
      /// The same, but given back.
      case lent(Connection.BufferHandler)
      /// Has no memory of its own.
      case range(OutgoingRange)
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

    /// In place of one that was sent.
    static var none: Piece {
      unsafe Piece(block: UnsafeMutableRawBufferPointer(start: nil, count: 0))
    }

    init(_ range: OutgoingRange) {
      unsafe memory = UnsafeMutableRawBufferPointer(start: nil, count: 0)
      unsent = 0..<0
      kind = .range(range)
    }

    var range: OutgoingRange? { if case .range(let range) = kind { range } else { nil } }
    /// Whether everything of it was sent.
    var isSpent: Bool { range?.isSpent ?? unsent.isEmpty }
    var isBlock: Bool { if case .block = kind { true } else { false } }
    var byteCapacity: Int { unsafe memory.count }
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
      if let range { return range.removeFirst(byteCount) }
      let count = min(byteCount, unsent.count)
      unsent = unsent.lowerBound + count..<unsent.upperBound
      return count
    }

    /// The memory, which nobody uses any more.
    var emptied: UnsafeMutableRawBufferPointer { unsafe memory }

    /// The buffer as it was taken over. Nobody uses the piece any more.
    var buffer: IOBuffer { unsafe IOBuffer(adopting: memory, count: unsent.upperBound) }
  }

  /// A piece that is done with, and whose owner is to be told.
  struct Settled {
    private let piece: Piece
    private let end: End

    enum End {
      case sent
      case connectionClosed
      /// Of a range.
      case stopped(PumpError.Reason)
    }

    init(_ piece: Piece, _ end: End) {
      self.piece = piece
      self.end = end
      piece.range?.stop()
    }

    /// Tells the owner. To be called once.
    ///
    /// - Parameter closeReason: Why the connection is closed, if it is.
    func tell(_ closeReason: Connection.CloseReason?) {
      switch piece.kind {
      case .block, .adopted: break
      case .lent(let handler):
        if case .sent = end {
          handler(.sent, piece.buffer)
        } else {
          handler(.connectionClosed, piece.buffer)
        }
      case .range(let range):
        switch end {
        case .sent: range.tell(nil)
        case .connectionClosed: range.tell(.connection(closeReason ?? .local))
        case .stopped(let reason): range.tell(reason)
        }
      }
    }

    /// Frees a buffer, and tells nobody.
    func drop() {
      if case .lent = piece.kind { unsafe piece.emptied.deallocate() }
    }
  }
}
