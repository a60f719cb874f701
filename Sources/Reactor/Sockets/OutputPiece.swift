internal import PosixAIO

extension OutputBuffer {
  /// Bytes to send, usually in memory.
  @safe
  struct Piece {
    /// The owner of the bytes, which decides how their memory is released.
    enum Kind {
      /// A block of the loop. Small writes are added to it.
      case block
      /// Adopted from an `IOBuffer`, and freed when its bytes are sent.
      case adopted
      /// Adopted from an `IOBuffer`, and returned to its owner.
      case lent(Connection.BufferHandler)
      /// A file range, which holds its own memory.
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
    /// - Parameter handler: Gets the buffer back. Nil frees its memory.
    init(_ buffer: consuming IOBuffer, _ handler: Connection.BufferHandler? = nil) {
      unsent = 0..<buffer.count
      kind = handler.map { .lent($0) } ?? .adopted
      unsafe memory = buffer.relinquish()
    }

    /// Replaces a piece that was sent.
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
    /// Whether all of it was sent.
    var isSpent: Bool {
      if case .range(let range) = kind { range.isSpent } else { unsent.isEmpty }
    }
    var isBlock: Bool { if case .block = kind { true } else { false } }
    var byteCapacity: Int { unsafe memory.count }
    var room: Int { unsafe isBlock ? memory.count - unsent.upperBound : 0 }

    func unsent(atMost byteCount: Int) -> UnsafeRawBufferPointer {
      unsafe UnsafeRawBufferPointer(rebasing: memory[unsent].prefix(byteCount))
    }

    /// Memory for `byteCount` more bytes, for which there must be room.
    func memoryToFill(_ byteCount: Int) -> UnsafeMutableRawBufferPointer {
      unsafe UnsafeMutableRawBufferPointer(
        rebasing: memory[unsent.upperBound..<unsent.upperBound + byteCount])
    }

    /// Notes that `byteCount` bytes were written there.
    mutating func noteFilled(_ byteCount: Int) {
      unsent = unsent.lowerBound..<unsent.upperBound + byteCount
    }

    /// - Returns: The number of bytes appended.
    mutating func append(_ bytes: UnsafeRawBufferPointer) -> Int {
      let count = min(room, bytes.count)
      let free = unsafe UnsafeMutableRawBufferPointer(rebasing: memory[unsent.upperBound...])
      unsafe free.copyMemory(from: UnsafeRawBufferPointer(rebasing: bytes[..<count]))
      unsent = unsent.lowerBound..<unsent.upperBound + count
      return count
    }

    /// - Returns: The bytes removed, and how many of them were in the piece's own memory.
    mutating func removeFirst(_ byteCount: Int) -> (all: Int, fromMemory: Int) {
      if case .range(let range) = kind { return (range.removeFirst(byteCount), 0) }
      let count = min(byteCount, unsent.count)
      unsent = unsent.lowerBound + count..<unsent.upperBound
      return (count, count)
    }

    /// The memory. The piece must not be used afterwards.
    var emptied: UnsafeMutableRawBufferPointer { unsafe memory }

    /// The buffer as it was adopted. The piece must not be used afterwards.
    var buffer: IOBuffer { unsafe IOBuffer(adopting: memory, count: unsent.upperBound) }
  }

  /// Reports when the bytes before it are sent: for a file range that was copied into blocks.
  struct Mark {
    /// The bytes of the range.
    let byteCount: Int
    /// Their end in the total that the socket sends.
    let end: Int64
    let handler: Pump.Handler

    func report(_ reason: PumpError.Reason?, sentByteCount: Int64) {
      guard let reason else { return handler(.success(Int64(byteCount))) }
      let missing = min(max(0, end - sentByteCount), Int64(byteCount))
      handler(.failure(PumpError(reason, byteCountDone: Int64(byteCount) - missing)))
    }
  }

  /// A finished piece whose owner is to be told.
  struct Settled {
    private let piece: Piece
    private let end: End
    private let sentByteCount: Int64

    enum End {
      case sent
      case connectionClosed
      /// A range stopped for this reason.
      case stopped(PumpError.Reason)
    }

    /// - Parameter sentByteCount: The total that the kernel had taken by then.
    init(_ piece: Piece, _ end: End, _ sentByteCount: Int64) {
      self.piece = piece
      self.end = end
      self.sentByteCount = sentByteCount
      piece.range?.stop()
    }

    /// Tells the owner. Call it once.
    ///
    /// - Parameter closeReason: Why the connection closed; nil while it is open.
    func report(_ closeReason: Connection.CloseReason?) {
      switch piece.kind {
      case .block, .adopted: break
      case .lent(let handler):
        if case .sent = end {
          handler(.sent, piece.buffer)
        } else {
          handler(.connectionClosed, piece.buffer)
        }
      case .range(let range): range.report(reason(closeReason))
      case .mark(let mark): mark.report(reason(closeReason), sentByteCount: sentByteCount)
      }
    }

    private func reason(_ closeReason: Connection.CloseReason?) -> PumpError.Reason? {
      switch end {
      case .sent: nil
      case .connectionClosed: .connection(closeReason ?? .local)
      case .stopped(let reason): reason
      }
    }

    /// Frees a lent buffer without calling its handler.
    func drop() {
      if case .lent = piece.kind { unsafe piece.emptied.deallocate() }
    }
  }
}
