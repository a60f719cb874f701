internal import Glibc
internal import PosixAIO
internal import SystemPackage

/// C's pieces of memory, filled or written one after the other.
@safe
struct Pieces {
  /// `IOV_MAX`, which Swift does not import.
  private static let limit: Int32 = 1024

  private let pieces: [iovec]
  /// The size of all pieces together.
  let byteCount: Int

  /// - Throws: `EINVAL` for fewer than 0 or more than `IOV_MAX` pieces, or for more bytes than an
  ///   `ssize_t` can count.
  @unsafe
  init(_ pieces: UnsafePointer<iovec>?, _ count: Int32) throws(Errno) {
    guard (0...Self.limit).contains(count), unsafe pieces != nil || count == 0 else {
      throw .invalidArgument
    }
    unsafe self.pieces = Array(UnsafeBufferPointer(start: pieces, count: Int(count)))
    var byteCount = 0
    for unsafe piece in unsafe self.pieces {
      let (sum, overflows) = unsafe byteCount.addingReportingOverflow(piece.iov_len)
      guard unsafe piece.iov_len >= 0, !overflows else { throw .invalidArgument }
      byteCount = sum
    }
    self.byteCount = byteCount
  }

  /// Copies bytes to the pieces, of which C keeps the memory until the callback.
  @unsafe
  func fill(from bytes: RawSpan) {
    unsafe bytes.withUnsafeBytes { bytes in
      var rest = unsafe bytes[...]
      for unsafe piece in unsafe pieces {
        let next = unsafe UnsafeRawBufferPointer(rebasing: rest.prefix(piece.iov_len))
        unsafe UnsafeMutableRawBufferPointer(start: piece.iov_base, count: piece.iov_len)
          .copyMemory(from: next)
        unsafe rest = rest.dropFirst(next.count)
      }
    }
  }

  func append(to buffer: inout IOBuffer) {
    for unsafe piece in unsafe pieces {
      unsafe buffer.append(UnsafeRawBufferPointer(start: piece.iov_base, count: piece.iov_len).bytes)
    }
  }
}
