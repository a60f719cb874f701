internal import Glibc
internal import PosixAIO
internal import SystemPackage

extension Int {
  /// A `size_t`, which Swift imports as an `Int`, and which is negative then if it is larger than
  /// that; such as `SIZE_MAX` for no limit.
  init(clampingSize size: Int) {
    self = size < 0 ? .max : size
  }
}

/// C's pieces of memory, filled or written one after the other.
@safe
struct Pieces {
  /// `IOV_MAX`, which Swift does not import.
  private static let limit: Int32 = 1024

  @safe
  private struct Piece {
    let memory: UnsafeMutableRawBufferPointer
  }

  private let pieces: [Piece]
  /// The size of all pieces together.
  let byteCount: Int

  /// - Throws: `EINVAL` for fewer than 0 or more than `IOV_MAX` pieces, for more bytes than an
  ///   `ssize_t` can count, or for NULL with a size.
  @unsafe
  init(_ vectors: UnsafePointer<iovec>?, _ count: Int32) throws(Errno) {
    guard (0...Self.limit).contains(count), unsafe vectors != nil || count == 0 else {
      throw .invalidArgument
    }
    let vectors = unsafe UnsafeBufferPointer(start: vectors, count: Int(count))
    var pieces: [Piece] = []
    var byteCount = 0
    for index in vectors.indices {
      let (base, size) = unsafe (vectors[index].iov_base, vectors[index].iov_len)
      let (sum, overflows) = byteCount.addingReportingOverflow(size)
      guard size >= 0, !overflows, unsafe base != nil || size == 0 else { throw .invalidArgument }
      unsafe pieces.append(Piece(memory: UnsafeMutableRawBufferPointer(start: base, count: size)))
      byteCount = sum
    }
    self.pieces = pieces
    self.byteCount = byteCount
  }

  /// Copies bytes to the pieces, of which C keeps the memory until the callback.
  @unsafe
  func fill(from bytes: RawSpan) {
    unsafe bytes.withUnsafeBytes { bytes in
      var rest = unsafe bytes[...]
      for piece in pieces {
        let next = unsafe UnsafeRawBufferPointer(rebasing: rest.prefix(piece.memory.count))
        unsafe piece.memory.copyMemory(from: next)
        unsafe rest = rest.dropFirst(next.count)
      }
    }
  }

  func append(to buffer: inout IOBuffer) {
    for piece in pieces {
      unsafe buffer.append(UnsafeRawBufferPointer(piece.memory).bytes)
    }
  }
}
