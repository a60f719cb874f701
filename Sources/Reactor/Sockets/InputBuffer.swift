internal import Glibc
internal import PosixAIO

/// The received bytes that are not consumed yet, in one contiguous piece.
///
/// A read goes into a block large enough for everything that may arrive in a turn. Usually the
/// handler consumes all of it before the next socket is read, which then uses the same block;
/// unconsumed bytes move to memory of their own size. So a connection without unread input holds no
/// memory, and one system call reads the bytes without first asking how many there are.
@safe
struct InputBuffer: ~Copyable {
  private let blocks: InputBlocks
  private var memory = unsafe UnsafeMutableRawBufferPointer(start: nil, count: 0)
  private var start = 0
  private(set) var count = 0

  init(_ blocks: InputBlocks) {
    self.blocks = blocks
  }

  deinit { unsafe blocks.put(memory) }

  /// Calls `body` with the first `byteCount` bytes.
  func withBytes<Result, Failure: Error>(
    first byteCount: Int, _ body: (RawSpan) throws(Failure) -> Result
  ) throws(Failure) -> Result {
    try body(unsafe UnsafeRawBufferPointer(rebasing: memory[start..<start + byteCount]).bytes)
  }

  /// Consumes bytes from the front. Must not be called while they are in use.
  mutating func take(_ byteCount: Int) {
    start += byteCount
    count -= byteCount
    if count == 0 { unsafe move(to: UnsafeMutableRawBufferPointer(start: nil, count: 0)) }
  }

  /// Adds the bytes that a socket has received. Wraps `recv(2)`.
  ///
  /// - Parameter limit: The most bytes to add, 1 or more.
  /// - Returns: The result of `recv(2)`, which sets `errno`.
  mutating func receive(from socket: Int32, limit: Int) -> Int {
    require(limit > 0, "Connection: a read needs room for input")
    let limit = min(limit, InputBlocks.byteCount)
    if unsafe memory.count - start - count < limit {
      // Doubled, so that bytes that arrive piece by piece are not moved for each piece.
      unsafe move(to: blocks.take(byteCount: max(InputBlocks.byteCount, 2 * count)))
    }
    let room = unsafe UnsafeMutableRawBufferPointer(rebasing: memory[(start + count)...])
    let received = unsafe recv(socket, room.baseAddress, min(limit, room.count), 0)
    count += max(0, received)
    return received
  }

  /// Moves few remaining bytes to memory of their size and returns the block.
  mutating func shrink() {
    guard count > 0, unsafe memory.count == InputBlocks.byteCount,
      count <= InputBlocks.byteCount / 4
    else {
      return
    }
    unsafe move(to: .allocate(byteCount: count, alignment: 1))
  }

  private mutating func move(to other: UnsafeMutableRawBufferPointer) {
    if count > 0 {
      unsafe other.copyMemory(
        from: UnsafeRawBufferPointer(rebasing: memory[start..<start + count]))
    }
    unsafe blocks.put(memory)
    unsafe memory = other
    start = 0
  }
}

/// The memory into which a loop reads its sockets.
@safe
final class InputBlocks {
  /// The most bytes read from a socket in one turn of the loop.
  static let byteCount = 64 * 1024

  /// One spare block is enough, since each is returned before the next is needed.
  private var free: UnsafeMutableRawBufferPointer?

  deinit { unsafe free?.deallocate() }

  /// - Parameter byteCount: The size of a block, or more.
  func take(byteCount: Int) -> UnsafeMutableRawBufferPointer {
    if byteCount == Self.byteCount, let block = unsafe free.take() { return unsafe block }
    return .allocate(byteCount: byteCount, alignment: IOBuffer.pageAlignment)
  }

  func put(_ memory: UnsafeMutableRawBufferPointer) {
    if memory.count == Self.byteCount, unsafe free == nil {
      unsafe free = memory
    } else {
      unsafe memory.deallocate()
    }
  }
}
