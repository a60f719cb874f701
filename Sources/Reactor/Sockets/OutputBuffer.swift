internal import CReactor
internal import Glibc
internal import PosixAIO
internal import SystemPackage

/// Bytes written to a socket that the kernel has not taken, in order.
///
/// Copied bytes collect in blocks. A large `IOBuffer` is adopted without a copy and freed once
/// sent; one that its owner wants back is lent, whatever its size. One system call sends all of it,
/// up to a limit. An empty buffer has no memory: the loop keeps a few blocks for the next write of
/// any socket.
@safe
struct OutputBuffer: ~Copyable {
  /// The size from which a buffer is adopted instead of copied, in bytes.
  static let smallestAdoptedByteCount = 4096

  /// The most bytes per system call.
  static let byteCountPerSend = 256 * 1024

  /// The most pieces per system call, far below the kernel's `IOV_MAX` of 1024.
  static let pieceCountPerSend = 64

  /// The number of sent pieces at which the list may be compacted.
  private static let compactionThreshold = 64

  /// The most capacity that an empty list keeps.
  private static let sparePieceLimit = 8

  private let blocks: OutputBlocks
  /// The newest piece, to which small writes are added. Usually the only one, so that writing and
  /// sending touch no list.
  var last: Piece?
  /// The earlier pieces, from `firstEarlier` on.
  var earlier: [Piece] = []
  var firstEarlier = 0
  /// The unsent bytes in memory, without file ranges.
  private(set) var memoryByteCount = 0
  /// The number of file ranges.
  var rangeCount = 0
  /// The total that the kernel has taken.
  var sentByteCount: Int64 = 0
  /// Lent buffers and ranges that are finished, in order. Their owners are told between changes of
  /// state.
  private var settled = FIFO<Settled>()

  init(_ blocks: OutputBlocks) {
    self.blocks = blocks
  }

  deinit {
    // No handler is called: the loop went away without its end, as in a forked child.
    var dropped = settled
    while let piece = dropped.popFirst() { piece.drop() }
    for piece in earlier[firstEarlier...] { blocks.put(piece) }
    if let last { blocks.put(last) }
  }

  /// The unsent bytes; for a range that may end early, as far as is known.
  var byteCount: Int {
    guard rangeCount > 0 else { return memoryByteCount }
    var count = memoryByteCount
    for piece in earlier[firstEarlier...] {
      count = count.adding(saturating: piece.range?.byteCount ?? 0)
    }
    return count.adding(saturating: last?.range?.byteCount ?? 0)
  }

  /// Whether nothing is left to send, not even an empty buffer or range.
  var isEmpty: Bool { last == nil }

  // MARK: Writing

  /// Adds a copy of bytes.
  ///
  /// - Parameter followingByteCount: The number of bytes likely to be copied after these: one block
  ///   then has room for all.
  mutating func append(_ bytes: UnsafeRawBufferPointer, followingByteCount: Int = 0) {
    var copied = 0
    while copied < bytes.count {
      var piece = pieceWithRoom(forAtMost: bytes.count - copied + followingByteCount)
      copied += unsafe piece.append(UnsafeRawBufferPointer(rebasing: bytes[copied...]))
      last = piece
    }
    memoryByteCount += bytes.count
  }

  /// Reads bytes directly into the buffer's memory.
  ///
  /// - Parameters:
  ///   - byteCount: 1 or more, at most ``OutputBlocks/largestByteCount``.
  ///   - read: Fills memory of `byteCount` bytes, and returns how many it read, or -1.
  /// - Returns: The result of `read`. Nothing is added unless it read all of them.
  mutating func append(
    _ byteCount: Int, reading read: (UnsafeMutableRawBufferPointer) -> Int
  ) -> Int {
    var piece =
      if let last, last.room >= byteCount { last } else { blocks.take(forAtMost: byteCount) }
    let isNew = last?.room ?? 0 < byteCount
    let count = unsafe read(piece.memoryToFill(byteCount))
    guard count == byteCount else {
      if isNew { blocks.put(piece) }
      return count
    }
    piece.noteFilled(byteCount)
    if isNew, let last { earlier.append(last) }
    last = piece
    memoryByteCount += byteCount
    return count
  }

  /// Adds a mark that is reported when everything written before it is sent.
  mutating func append(_ mark: Mark) {
    append(Piece(mark), 0)
  }

  /// Adds a buffer's valid bytes, copied only if they are few.
  mutating func append(_ buffer: consuming IOBuffer) {
    let count = buffer.count
    guard count >= Self.smallestAdoptedByteCount else {
      return buffer.withBytes { bytes in unsafe bytes.withUnsafeBytes { unsafe append($0) } }
    }
    append(Piece(buffer), count)
  }

  /// Adds a buffer that is returned by ``nextSettled()`` when it is sent or never will be.
  mutating func append(_ buffer: consuming IOBuffer, _ handler: @escaping Connection.BufferHandler)
  {
    let count = buffer.count
    append(Piece(buffer, handler), count)
  }

  /// Adds a file range, whose end ``nextSettled()`` reports.
  mutating func append(_ range: OutgoingRange) {
    append(Piece(range), 0)
    rangeCount += 1
  }

  private mutating func append(_ piece: Piece, _ count: Int) {
    if let last { earlier.append(last) }
    last = piece
    memoryByteCount += count
  }

  /// Returns the last piece if it has room, or a new one.
  private mutating func pieceWithRoom(forAtMost byteCount: Int) -> Piece {
    guard let last else { return blocks.take(forAtMost: byteCount) }
    guard last.room == 0 else { return last }
    earlier.append(last)
    // Twice the previous size, so that many small writes make few pieces.
    return blocks.take(forAtMost: max(byteCount, last.isBlock ? 2 * last.byteCapacity : 0))
  }

  // MARK: Sending

  /// The result of a send.
  enum Progress {
    /// Everything was sent.
    case all
    /// The rest waits until the socket is writable.
    case some
    /// The next bytes are being read from a file.
    case waitsForFile
    /// The next bytes cannot be sent, so nothing after them can.
    case broken(PumpError.Reason)
    case failed(Errno)
  }

  /// Sends as much as the socket takes, up to a limit. A single piece goes by `send(2)`, which
  /// costs less than `sendmsg(2)`.
  ///
  /// - Parameter isShared: Whether other code may have made the socket blocking.
  mutating func send(to socket: Int32, isShared: Bool) -> Progress {
    guard rangeCount == 0 else { return sendWithRanges(to: socket, isShared) }
    guard let last else { return .all }
    guard memoryByteCount > 0 else {
      // No empty send, which would report a dead peer without any bytes to send.
      removeFirst(0)
      return .all
    }
    let count = earlier.isEmpty ? send(last, to: socket) : sendSeveral(to: socket, last)
    guard count >= 0 else { return Self.progress(Errno.ofLastCall) }
    if earlier.isEmpty, last.isBlock, count == memoryByteCount {
      forgetBlock(last)
      return .all
    }
    removeFirst(count)
    return isEmpty ? .all : .some
  }

  static func progress(_ reason: Errno) -> Progress {
    switch reason {
    case .wouldBlock, .interrupted: .some
    default: .failed(reason)
    }
  }

  private func send(_ piece: Piece, to socket: Int32) -> Int {
    let bytes = unsafe piece.unsent(atMost: Self.byteCountPerSend)
    // MSG_DONTWAIT, since other holders of an adopted socket may have made it blocking.
    let flags = Int32(MSG_NOSIGNAL) | Int32(MSG_DONTWAIT)
    return unsafe Glibc.send(socket, bytes.baseAddress, bytes.count, flags)
  }

  private func sendSeveral(to socket: Int32, _ last: Piece) -> Int {
    let most = min(Self.pieceCountPerSend, earlier.count - firstEarlier + 1)
    return unsafe withUnsafeTemporaryAllocation(of: iovec.self, capacity: most) { vectors in
      var room = Self.byteCountPerSend
      var count = 0
      while count < most, room > 0 {
        let index = firstEarlier + count
        let piece = index < earlier.count ? earlier[index] : last
        let bytes = unsafe piece.unsent(atMost: room)
        let base = unsafe UnsafeMutableRawPointer(mutating: bytes.baseAddress)
        unsafe vectors.initializeElement(
          at: count, to: iovec(iov_base: base, iov_len: bytes.count))
        room -= bytes.count
        count += 1
      }
      // There are two pieces or more.
      guard let first = vectors.baseAddress else { return 0 }
      return unsafe creactor_send(socket, first, count)
    }
  }

  /// As ``removeFirst(_:)`` of everything, for the common case of a single block.
  private mutating func forgetBlock(_ block: Piece) {
    sentByteCount += Int64(memoryByteCount)
    memoryByteCount = 0
    last = nil
    blocks.put(block)
  }

  /// Removes sent bytes, and empty pieces after them.
  mutating func removeFirst(_ count: Int) {
    sentByteCount += Int64(count)
    var sent = count
    while firstEarlier < earlier.count {
      let removed = earlier[firstEarlier].removeFirst(sent)
      memoryByteCount -= removed.fromMemory
      sent -= removed.all
      guard earlier[firstEarlier].isSpent else { return compact() }
      // Left in place, whatever its owner's handler captures would be released during this change
      // of state.
      var piece = Piece.none
      swap(&piece, &earlier[firstEarlier])
      firstEarlier += 1
      finish(piece, .sent)
    }
    if firstEarlier > 0 { forgetEarlier() }
    guard let removed = last?.removeFirst(sent) else { return }
    memoryByteCount -= removed.fromMemory
    guard last?.isSpent == true, let piece = last.take() else { return }
    finish(piece, .sent)
  }

  /// Frees the memory of a piece, or keeps the piece for its owner.
  private mutating func finish(_ piece: Piece, _ end: Settled.End) {
    switch piece.kind {
    case .block, .adopted: blocks.put(piece)
    case .lent, .mark: settled.append(Settled(piece, end, sentByteCount))
    case .range:
      rangeCount -= 1
      settled.append(Settled(piece, end, sentByteCount))
    }
  }

  /// The list keeps capacity for a few pieces, so that the next response head and body allocate
  /// none.
  private mutating func forgetEarlier() {
    firstEarlier = 0
    if earlier.capacity <= Self.sparePieceLimit {
      earlier.removeAll(keepingCapacity: true)
    } else {
      earlier = []
    }
  }

  /// Drops sent pieces when they are at least half of the list.
  private mutating func compact() {
    guard firstEarlier >= Self.compactionThreshold, 2 * firstEarlier >= earlier.count else {
      return
    }
    earlier.removeFirst(firstEarlier)
    firstEarlier = 0
  }

  /// Removes a range, and reports the reason to its owner.
  mutating func remove(_ range: OutgoingRange, _ reason: PumpError.Reason) {
    if last?.range === range {
      last = firstEarlier < earlier.count ? earlier.removeLast() : nil
    } else {
      let index = earlier[firstEarlier...].firstIndex { $0.range === range }
      guard let index else { return }
      earlier.remove(at: index)
    }
    finish(Piece(range), .stopped(reason))
  }

  /// Drops all unsent output, since the connection is closed.
  mutating func removeAll() {
    for piece in earlier[firstEarlier...] { finish(piece, .connectionClosed) }
    (earlier, firstEarlier) = ([], 0)
    if let last { finish(last, .connectionClosed) }
    last = nil
    memoryByteCount = 0
  }

  // MARK: Telling

  /// Whether a finished piece is still to be reported.
  var hasSettled: Bool { !settled.isEmpty }

  /// The next finished piece to report, in the order of the writes.
  mutating func nextSettled() -> Settled? { settled.popFirst() }
}

extension FixedWidthInteger {
  /// The sum with a number of 0 or more, at most the largest there is: a range may end there.
  package func adding(saturating other: Self) -> Self {
    let (sum, overflows) = addingReportingOverflow(other)
    return overflows ? .max : sum
  }
}
