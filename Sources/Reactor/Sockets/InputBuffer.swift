internal import Glibc
internal import PosixAIO

/// What has arrived at a socket and was not taken, in one piece.
///
/// A read goes into a block that is large enough for all that may come in a turn. As a rule it is
/// all taken by the time the next socket is read, which gets the same block; what is left of a read
/// moves to memory of its own size. So a connection that has nothing unread has no memory, and
/// bytes are read by one system call, without asking before how many there are.
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

  /// Shows so many bytes of it.
  func withBytes<Result, Failure: Error>(
    first byteCount: Int, _ body: (RawSpan) throws(Failure) -> Result
  ) throws(Failure) -> Result {
    try body(unsafe UnsafeRawBufferPointer(rebasing: memory[start..<start + byteCount]).bytes)
  }

  /// Nobody may be looking at the bytes.
  mutating func take(_ byteCount: Int) {
    start += byteCount
    count -= byteCount
    if count == 0 { unsafe move(to: UnsafeMutableRawBufferPointer(start: nil, count: 0)) }
  }

  /// Adds what a socket has. Wraps `recv(2)`.
  ///
  /// - Parameter limit: The most bytes to add, 1 or more.
  /// - Returns: As `recv(2)`, which sets `errno`.
  mutating func receive(from socket: Int32, limit: Int) -> Int {
    require(limit > 0, "Connection: nothing is read where there is no room")
    let limit = min(limit, InputBlocks.byteCount)
    if unsafe memory.count - start - count < limit {
      // Twice as much, so that what arrives piece by piece is not moved for each of them.
      unsafe move(to: blocks.take(byteCount: max(InputBlocks.byteCount, 2 * count)))
    }
    let room = unsafe UnsafeMutableRawBufferPointer(rebasing: memory[(start + count)...])
    let received = unsafe recv(socket, room.baseAddress, min(limit, room.count), 0)
    count += max(0, received)
    return received
  }

  /// Gives a block back that holds little.
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

/// The memory into which the sockets of a loop are read.
@safe
final class InputBlocks {
  /// What may be read from a socket in one turn of the loop.
  static let byteCount = 64 * 1024

  /// One block is enough where each is given back before the next is needed.
  private var free: UnsafeMutableRawBufferPointer?

  deinit { unsafe free?.deallocate() }

  /// - Parameter byteCount: As much as a block has, or more.
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
