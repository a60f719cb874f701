internal import CPosixAIO
internal import SystemPackage

/// The memory of a vectored operation, as one piece.
///
/// glibc has no vectored operations, and several operations would not be one: each would have a
/// result of its own, and a short one in the middle would leave a hole. So one operation moves all
/// bytes: in place where the pieces stand side by side, otherwise through memory of its own.
@safe
struct PieceList {
  /// The most bytes that the kernel moves in one call: `MAX_RW_COUNT`.
  static let transferLimit = 0x7FFF_F000

  private let pieces: [UnsafeMutableRawBufferPointer]

  /// The sum of the pieces, or nil if it is more than a signed size can hold.
  let byteCount: Int?

  init(_ pieces: [UnsafeMutableRawBufferPointer]) {
    unsafe self.pieces = unsafe pieces
    byteCount = unsafe pieces.reduce(Optional(0)) { sum, piece in
      guard let sum else { return nil }
      let (next, overflow) = sum.addingReportingOverflow(piece.count)
      return overflow ? nil : next
    }
  }

  var count: Int { unsafe pieces.count }

  /// The sum of the pieces.
  ///
  /// - Throws: `EINVAL` for more pieces or bytes than the kernel takes in one call.
  func checkedByteCount() throws(Errno) -> Int {
    guard count <= caio_iov_limit(), let byteCount else { throw .invalidArgument }
    return byteCount
  }

  /// Has the block's memory name the pieces themselves, or memory of its own as large as they are,
  /// filled with their bytes if those are to be written.
  ///
  /// - Returns: The bytes to move: the sum of the pieces, or what the kernel moves at most.
  /// - Throws: `EINVAL` for more pieces or bytes than the kernel takes in one call.
  func prepare(_ block: ControlBlock) throws(Errno) -> Int {
    let byteCount = min(try checkedByteCount(), Self.transferLimit)
    if let whole = unsafe contiguous {
      unsafe block.memory = whole
    } else {
      if block.buffer == nil { block.adopt(IOBuffer(capacity: byteCount)) }
      if block.isWrite { gather(into: block) }
    }
    return byteCount
  }

  private func gather(into block: ControlBlock) {
    guard var target = unsafe block.memory?[...] else { return }
    for index in 0..<count {
      let piece = unsafe pieces[index].prefix(target.count)
      unsafe UnsafeMutableRawBufferPointer(rebasing: target)
        .copyMemory(from: .init(rebasing: piece))
      unsafe target = target.dropFirst(piece.count)
    }
  }

  /// Puts the bytes that were read where they belong, unless they are there.
  func scatter(_ byteCount: Int, from block: ControlBlock) {
    guard block.buffer != nil, var source = unsafe block.memory?.prefix(byteCount) else { return }
    for index in 0..<count {
      let piece = unsafe source.prefix(pieces[index].count)
      unsafe pieces[index].copyMemory(from: .init(rebasing: piece))
      unsafe source = source.dropFirst(piece.count)
    }
  }

  /// The pieces as one, when each begins where the one before ends. Empty ones are nowhere.
  private var contiguous: UnsafeMutableRawBufferPointer? {
    let filled = unsafe pieces.filter { unsafe !$0.isEmpty }
    guard let first = unsafe filled.first else { return unsafe .init(start: nil, count: 0) }
    var end = first.baseAddress
    for index in 0..<(unsafe filled.count) {
      guard unsafe filled[index].baseAddress == end else { return nil }
      unsafe end = unsafe end.map { unsafe $0 + filled[index].count }
    }
    return unsafe .init(start: first.baseAddress, count: byteCount ?? 0)
  }
}
