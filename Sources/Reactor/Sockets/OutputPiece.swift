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
      /// Has no bytes.
      case mark(Mark)
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

    init(_ mark: Mark) {
      unsafe memory = UnsafeMutableRawBufferPointer(start: nil, count: 0)
      unsent = 0..<0
      kind = .mark(mark)
    }

    var range: OutgoingRange? { if case .range(let range) = kind { range } else { nil } }
    /// Whether everything of it was sent.
    var isSpent: Bool {
      if case .range(let range) = kind { range.isSpent } else { unsent.isEmpty }
    }
    var isBlock: Bool { if case .block = kind { true } else { false } }
    var byteCapacity: Int { unsafe memory.count }
    var room: Int { unsafe isBlock ? memory.count - unsent.upperBound : 0 }

    func unsent(atMost byteCount: Int) -> UnsafeRawBufferPointer {
      unsafe UnsafeRawBufferPointer(rebasing: memory[unsent].prefix(byteCount))
    }

    /// Memory for so many more bytes, for which there is room.
    func memoryToFill(_ byteCount: Int) -> UnsafeMutableRawBufferPointer {
      unsafe UnsafeMutableRawBufferPointer(
        rebasing: memory[unsent.upperBound..<unsent.upperBound + byteCount])
    }

    /// So many bytes were put there.
    mutating func noteFilled(_ byteCount: Int) {
      unsent = unsent.lowerBound..<unsent.upperBound + byteCount
    }

    /// - Returns: How many bytes had room.
    mutating func append(_ bytes: UnsafeRawBufferPointer) -> Int {
      let count = min(room, bytes.count)
      let free = unsafe UnsafeMutableRawBufferPointer(rebasing: memory[unsent.upperBound...])
      unsafe free.copyMemory(from: UnsafeRawBufferPointer(rebasing: bytes[..<count]))
      unsent = unsent.lowerBound..<unsent.upperBound + count
      return count
    }

    /// - Returns: How many bytes it had of these, and how many of its own memory they are.
    mutating func removeFirst(_ byteCount: Int) -> (all: Int, fromMemory: Int) {
      if case .range(let range) = kind { return (range.removeFirst(byteCount), 0) }
      let count = min(byteCount, unsent.count)
      unsent = unsent.lowerBound + count..<unsent.upperBound
      return (count, count)
    }

    /// The memory, which nobody uses any more.
    var emptied: UnsafeMutableRawBufferPointer { unsafe memory }

    /// The buffer as it was taken over. Nobody uses the piece any more.
    var buffer: IOBuffer { unsafe IOBuffer(adopting: memory, count: unsent.upperBound) }
  }

  /// Whom to tell when the bytes before are sent: of a file's range that was copied into blocks.
  struct Mark {
    /// The bytes of the range.
    let byteCount: Int
    /// Where they end in what the socket sends.
    let end: Int64
    let handler: Pump.Handler

    func tell(_ reason: PumpError.Reason?, sentByteCount: Int64) {
      guard let reason else { return handler(.success(Int64(byteCount))) }
      let missing = min(max(0, end - sentByteCount), Int64(byteCount))
      handler(.failure(PumpError(reason, byteCountDone: Int64(byteCount) - missing)))
    }
  }

  /// A piece that is done with, and whose owner is to be told.
  struct Settled {
    private let piece: Piece
    private let end: End
    private let sentByteCount: Int64

    enum End {
      case sent
      case connectionClosed
      /// Of a range.
      case stopped(PumpError.Reason)
    }

    /// - Parameter sentByteCount: What the kernel had taken by then, all in all.
    init(_ piece: Piece, _ end: End, _ sentByteCount: Int64) {
      self.piece = piece
      self.end = end
      self.sentByteCount = sentByteCount
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
      case .range(let range): range.tell(reason(closeReason))
      case .mark(let mark): mark.tell(reason(closeReason), sentByteCount: sentByteCount)
      }
    }

    private func reason(_ closeReason: Connection.CloseReason?) -> PumpError.Reason? {
      switch end {
      case .sent: nil
      case .connectionClosed: .connection(closeReason ?? .local)
      case .stopped(let reason): reason
      }
    }

    /// Frees a buffer, and tells nobody.
    func drop() {
      if case .lent = piece.kind { unsafe piece.emptied.deallocate() }
    }
  }
}
