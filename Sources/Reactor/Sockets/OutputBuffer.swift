internal import CReactor
internal import Glibc
internal import PosixAIO
internal import SystemPackage

/// Bytes that were written to a socket and that the kernel has not taken, in order.
///
/// Copied bytes collect in blocks. A large `IOBuffer` is taken over as it is, and its memory is
/// freed once it is sent; one of whatever size is given back, where its owner wants it. One system
/// call sends all of it, up to a limit. A buffer without bytes has no memory: the loop keeps a few
/// blocks for the next write of any socket.
@safe
struct OutputBuffer: ~Copyable {
  /// The smallest buffer whose memory is taken over, in bytes. Copying fewer costs less.
  static let smallestAdoptedByteCount = 4096

  /// The most bytes per system call.
  static let byteCountPerSend = 256 * 1024

  /// The most pieces per system call, far below the kernel's `IOV_MAX` of 1024.
  static let pieceCountPerSend = 64

  /// How many sent pieces may stay in the list before it is compacted.
  private static let compactionThreshold = 64

  /// The room for pieces that an empty list may keep.
  private static let sparePieceLimit = 8

  private let blocks: OutputBlocks
  /// The newest piece, and the one that small writes are added to. Alone as a rule, so that writing
  /// and sending touch no list.
  var last: Piece?
  /// The pieces before that, from `firstEarlier` on.
  var earlier: [Piece] = []
  var firstEarlier = 0
  /// What is in memory: all but ranges of files.
  private(set) var memoryByteCount = 0
  /// How many ranges of files there are.
  var rangeCount = 0
  /// What the kernel has taken, all in all.
  var sentByteCount: Int64 = 0
  /// Lent buffers and ranges that are done with, in order. Their owners are told between changes of
  /// state.
  private var settled = FIFO<Settled>()

  init(_ blocks: OutputBlocks) {
    self.blocks = blocks
  }

  deinit {
    // Nobody is told: the loop has gone without its end, as in a fork's child.
    var dropped = settled
    while let piece = dropped.popFirst() { piece.drop() }
    for piece in earlier[firstEarlier...] { blocks.put(piece) }
    if let last { blocks.put(last) }
  }

  /// What was not sent; of a range that may end earlier, as far as is known.
  var byteCount: Int {
    guard rangeCount > 0 else { return memoryByteCount }
    var count = memoryByteCount
    for piece in earlier[firstEarlier...] { count.add(piece.range?.byteCount ?? 0) }
    count.add(last?.range?.byteCount ?? 0)
    return count
  }

  /// Whether there is nothing to send, not even an empty buffer or range.
  var isEmpty: Bool { last == nil }

  // MARK: Writing

  /// Adds a copy of bytes.
  ///
  /// - Parameter followingByteCount: How many more are likely to be copied after them: one block
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

  /// Adds bytes that are read into the buffer's own memory.
  ///
  /// - Parameters:
  ///   - byteCount: 1 or more, at most ``OutputBlocks/largestByteCount``.
  ///   - read: Fills memory of so many bytes, and returns how many it has got, or -1.
  /// - Returns: What `read` returns. Nothing was added unless it got all of them.
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

  /// Has somebody told when everything that was written before is sent.
  mutating func append(_ mark: Mark) {
    append(Piece(mark), 0)
  }

  /// Adds the valid bytes of a buffer, not copied unless they are few.
  mutating func append(_ buffer: consuming IOBuffer) {
    let count = buffer.count
    guard count >= Self.smallestAdoptedByteCount else {
      return buffer.withBytes { bytes in unsafe bytes.withUnsafeBytes { unsafe append($0) } }
    }
    append(Piece(buffer), count)
  }

  /// Adds a buffer that is given back when it is sent, or never will be: see ``nextSettled()``.
  mutating func append(_ buffer: consuming IOBuffer, _ handler: @escaping Connection.BufferHandler)
  {
    let count = buffer.count
    append(Piece(buffer, handler), count)
  }

  /// Adds a range of a file, of which somebody is told by ``nextSettled()``.
  mutating func append(_ range: OutgoingRange) {
    append(Piece(range), 0)
    rangeCount += 1
  }

  private mutating func append(_ piece: Piece, _ count: Int) {
    if let last { earlier.append(last) }
    last = piece
    memoryByteCount += count
  }

  /// Takes the last piece out if it has room, or makes one.
  private mutating func pieceWithRoom(forAtMost byteCount: Int) -> Piece {
    guard let last else { return blocks.take(forAtMost: byteCount) }
    guard last.room == 0 else { return last }
    earlier.append(last)
    // Twice as much as the one before, so that many small writes make few pieces.
    return blocks.take(forAtMost: max(byteCount, last.isBlock ? 2 * last.byteCapacity : 0))
  }

  // MARK: Sending

  /// How far a send has come.
  enum Progress {
    /// There is nothing left.
    case all
    /// The rest is for when the socket takes more, or for the next turn.
    case some
    /// The bytes that come next are being read.
    case waitsForFile
    /// What comes next cannot be sent, and so nothing behind it.
    case broken(PumpError.Reason)
    case failed(Errno)
  }

  /// Gives a socket as much as it takes at once, up to a limit. Wraps `send(2)` where there is one
  /// piece, which costs less than `sendmsg(2)`.
  ///
  /// - Parameter isShared: Whether somebody else may have made the socket block.
  mutating func send(to socket: Int32, isShared: Bool) -> Progress {
    guard rangeCount == 0 else { return sendWithRanges(to: socket, isShared) }
    guard let last else { return .all }
    guard memoryByteCount > 0 else {
      // Not an empty send, which would report a dead peer for bytes that nobody wrote.
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
    // MSG_DONTWAIT, since whoever shares an adopted socket may have made it block.
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

  /// As ``removeFirst(_:)`` of everything, for the usual case of a single block.
  private mutating func forgetBlock(_ block: Piece) {
    sentByteCount += Int64(memoryByteCount)
    memoryByteCount = 0
    last = nil
    blocks.put(block)
  }

  /// Forgets what was sent, and what is empty behind it.
  mutating func removeFirst(_ count: Int) {
    sentByteCount += Int64(count)
    var sent = count
    while firstEarlier < earlier.count {
      let removed = earlier[firstEarlier].removeFirst(sent)
      memoryByteCount -= removed.fromMemory
      sent -= removed.all
      guard earlier[firstEarlier].isSpent else { return compact() }
      // Were it left here, what its owner's handler holds would be released in here.
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

  /// The list keeps room for a head and what follows it, so that the next ones allocate none.
  private mutating func forgetEarlier() {
    firstEarlier = 0
    if earlier.capacity <= Self.sparePieceLimit {
      earlier.removeAll(keepingCapacity: true)
    } else {
      earlier = []
    }
  }

  /// Drops the sent pieces from the list when they are the greater part of it.
  private mutating func compact() {
    guard firstEarlier >= Self.compactionThreshold, 2 * firstEarlier >= earlier.count else {
      return
    }
    earlier.removeFirst(firstEarlier)
    firstEarlier = 0
  }

  /// Takes a range out, whose owner is to be told why.
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

  /// Forgets everything that was not sent, since the connection is closed.
  mutating func removeAll() {
    for piece in earlier[firstEarlier...] { finish(piece, .connectionClosed) }
    (earlier, firstEarlier) = ([], 0)
    if let last { finish(last, .connectionClosed) }
    last = nil
    memoryByteCount = 0
  }

  // MARK: Telling

  /// Whether somebody is to be told of a piece.
  var hasSettled: Bool { !settled.isEmpty }

  /// The next piece whose owner is to be told, in the order of the writes.
  mutating func nextSettled() -> Settled? { settled.popFirst() }
}

extension FixedWidthInteger {
  /// Adds a number of 0 or more, up to the largest there is: a range may end at the last place.
  package mutating func add(_ other: Self) {
    let (sum, overflows) = addingReportingOverflow(other)
    self = overflows ? .max : sum
  }
}
