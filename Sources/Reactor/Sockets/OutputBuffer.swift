internal import CReactor
internal import Glibc
internal import PosixAIO

/// Bytes that were written to a socket and that the kernel has not taken, in order.
///
/// Copied bytes collect in blocks. A large `IOBuffer` is taken over as it is, and its memory is
/// freed once it is sent. One system call sends all of it, up to a limit. A buffer without bytes
/// has no memory: the loop keeps a few blocks for the next write of any socket.
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

  private let blocks: OutputBlocks
  /// The newest piece, and the one that small writes are added to. Alone as a rule, so that writing
  /// and sending touch no list.
  private var last: Piece?
  /// The pieces before that, from `firstEarlier` on.
  private var earlier: [Piece] = []
  private var firstEarlier = 0
  private(set) var byteCount = 0

  init(_ blocks: OutputBlocks) {
    self.blocks = blocks
  }

  deinit {
    for piece in earlier[firstEarlier...] { blocks.put(piece) }
    if let last { blocks.put(last) }
  }

  // MARK: Writing

  /// Adds a copy of bytes.
  mutating func append(_ bytes: UnsafeRawBufferPointer) {
    var copied = 0
    while copied < bytes.count {
      var piece = pieceWithRoom(forAtMost: bytes.count - copied)
      copied += unsafe piece.append(UnsafeRawBufferPointer(rebasing: bytes[copied...]))
      last = piece
    }
    byteCount += bytes.count
  }

  /// Adds the valid bytes of a buffer, not copied unless they are few.
  mutating func append(_ buffer: consuming IOBuffer) {
    let count = buffer.count
    guard count >= Self.smallestAdoptedByteCount else {
      return buffer.withBytes { bytes in unsafe bytes.withUnsafeBytes { unsafe append($0) } }
    }
    if let last { earlier.append(last) }
    last = unsafe Piece(adopting: buffer.relinquish(), count: count)
    byteCount += count
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

  /// Gives a socket as much as it takes at once. Wraps `send(2)` where there is one piece, which
  /// costs less than `sendmsg(2)`.
  ///
  /// - Returns: The bytes that it took; -1 for a failure, which sets `errno`.
  mutating func send(to socket: Int32) -> Int {
    // Not an empty send, which would report a dead peer for bytes that nobody wrote.
    guard let last else { return 0 }
    let count = earlier.isEmpty ? send(last, to: socket) : sendSeveral(to: socket, last)
    if count > 0 { removeFirst(count) }
    return count
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

  /// Forgets what was sent, and frees its memory.
  private mutating func removeFirst(_ sentByteCount: Int) {
    byteCount -= sentByteCount
    var sent = sentByteCount
    while firstEarlier < earlier.count {
      sent -= earlier[firstEarlier].removeFirst(sent)
      guard earlier[firstEarlier].count == 0 else { return compact() }
      blocks.put(earlier[firstEarlier])
      firstEarlier += 1
    }
    (earlier, firstEarlier) = ([], 0)
    guard var piece = last else { return }
    _ = piece.removeFirst(sent)
    if piece.count == 0 { blocks.put(piece) }
    last = piece.count == 0 ? nil : piece
  }

  /// Drops the sent pieces from the list when they are the greater part of it.
  private mutating func compact() {
    guard firstEarlier >= Self.compactionThreshold, 2 * firstEarlier >= earlier.count else {
      return
    }
    earlier.removeFirst(firstEarlier)
    firstEarlier = 0
  }

  /// Forgets everything, and frees the memory.
  mutating func removeAll() {
    if byteCount > 0 { removeFirst(byteCount) }
  }
}

extension OutputBuffer {
  /// Memory with bytes to send.
  @safe
  fileprivate struct Piece {
    private let memory: UnsafeMutableRawBufferPointer
    private var unsent: Range<Int>
    /// Whether small writes are added to it.
    let isBlock: Bool

    init(block memory: UnsafeMutableRawBufferPointer) {
      unsafe self.memory = memory
      unsent = 0..<0
      isBlock = true
    }

    /// Takes over what an `IOBuffer` relinquished.
    init(adopting memory: UnsafeMutableRawBufferPointer, count: Int) {
      unsafe self.memory = memory
      unsent = 0..<count
      isBlock = false
    }

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
  }
}

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
  fileprivate func take(forAtMost byteCount: Int) -> OutputBuffer.Piece {
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
  fileprivate func put(_ piece: OutputBuffer.Piece) {
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
