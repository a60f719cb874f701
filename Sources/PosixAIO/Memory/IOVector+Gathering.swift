package import SystemPackage

/// One buffer in place of several, for requests: the kernel's asynchronous operations take one
/// piece of memory, and several operations would each have a result of their own.
extension IOVector {
  /// Copies the valid bytes of all buffers, in order, into one.
  ///
  /// - Throws: `EINVAL` for more than `IOV_MAX` (1024) buffers, or more than `SSIZE_MAX` bytes.
  package borrowing func gathered() throws(Errno) -> IOBuffer {
    let pieces = unsafe contents
    var whole = IOBuffer(capacity: try unsafe PieceList(pieces).checkedByteCount())
    for index in 0..<(unsafe pieces.count) {
      unsafe whole.append(contentsOf: UnsafeRawBufferPointer(pieces[index]))
    }
    return whole
  }

  /// An empty buffer with the total capacity of all buffers, but no more than one call of the
  /// kernel fills.
  ///
  /// - Throws: As ``gathered()``.
  package borrowing func wholeBuffer() throws(Errno) -> IOBuffer {
    let byteCount = try unsafe PieceList(capacities).checkedByteCount()
    return IOBuffer(capacity: min(byteCount, PieceList.transferLimit))
  }

  /// Fills the buffers, one after the other, with the valid bytes of `whole`. No others are valid
  /// then.
  package mutating func scatter(_ whole: borrowing IOBuffer) {
    let pieces = unsafe capacities
    var position = 0
    for index in 0..<(unsafe pieces.count) {
      let count = unsafe min(pieces[index].count, whole.count - position)
      let source = unsafe UnsafeRawBufferPointer(
        rebasing: whole.unsafeMemory[position..<position + count])
      unsafe pieces[index].copyMemory(from: source)
      position += count
    }
    setCount(position)
  }
}
