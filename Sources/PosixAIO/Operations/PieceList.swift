internal import CPosixAIO
internal import SystemPackage

/// The memory of a vectored operation as one piece.
///
/// glibc has no vectored operations. Several operations would each have a result of their own, and
/// a short one in the middle would leave a hole. So one operation moves all bytes: in place if the
/// pieces are adjacent, otherwise through a buffer of its own.
@safe
struct PieceList {
  /// The most bytes that the kernel moves in one call: `MAX_RW_COUNT`.
  static let transferLimit = 0x7FFF_F000

  private let pieces: [UnsafeMutableRawBufferPointer]

  /// The total size of the pieces; nil if a signed size cannot hold it.
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

  /// The total size of the pieces.
  ///
  /// - Throws: `EINVAL` for more pieces or bytes than the kernel takes in one call.
  func checkedByteCount() throws(Errno) -> Int {
    guard count <= caio_iov_limit(), let byteCount else { throw .invalidArgument }
    return byteCount
  }

  /// Sets the block's memory: to the pieces themselves, or to a buffer of their total size, filled
  /// with their bytes for a write.
  ///
  /// - Returns: The number of bytes to move: the total size, but no more than the kernel moves in
  ///   one call.
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

  /// Copies the bytes that were read into the pieces, unless they were read in place.
  func scatter(_ byteCount: Int, from block: ControlBlock) {
    guard block.buffer != nil, var source = unsafe block.memory?.prefix(byteCount) else { return }
    for index in 0..<count {
      let piece = unsafe source.prefix(pieces[index].count)
      unsafe pieces[index].copyMemory(from: .init(rebasing: piece))
      unsafe source = source.dropFirst(piece.count)
    }
  }

  /// The pieces as one, if each begins where the one before it ends. Empty ones do not count.
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
