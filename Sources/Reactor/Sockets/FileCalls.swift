internal import CReactor
internal import Glibc

/// The calls by which a range of a file gets to a socket. A test overrides them, to make them fail
/// or lie.
///
/// Sendable: it has no state. A test's subclass that has some stays on the test's thread.
@safe
class FileCalls: @unchecked Sendable {
  /// Straight to the kernel.
  static let live = FileCalls()

  /// Sends bytes from the page cache. Wraps `sendfile(2)`, without SIGPIPE.
  ///
  /// - Returns: The bytes that the socket took, 0 at the file's end; -1 for a failure, which sets
  ///   `errno`.
  func send(_ byteCount: Int, of file: Int32, at offset: Int64, to socket: Int32) -> Int {
    creactor_send_file(socket, file, offset, byteCount)
  }

  /// How many pages of a range of 1 byte or more are not in the page cache. Wraps `cachestat(2)`.
  ///
  /// - Returns: -1 for a failure, which sets `errno`.
  func missingPageCount(of file: Int32, _ range: Range<Int64>) -> Int64 {
    creactor_missing_pages(file, range.lowerBound, range.upperBound - range.lowerBound)
  }

  /// Fills memory from the page cache, without waiting. Wraps `preadv2(2)` with `RWF_NOWAIT`.
  ///
  /// - Returns: The bytes read; -1 for a failure, which sets `errno`.
  func readCached(
    _ file: Int32, into memory: UnsafeMutableRawBufferPointer, at offset: Int64
  ) -> Int {
    guard let base = memory.baseAddress else { return 0 }
    return unsafe creactor_read_cached(file, base, memory.count, offset)
  }

  /// The file's size by now. Wraps `fstat(2)`.
  ///
  /// - Returns: -1 for a failure.
  func byteCount(of file: Int32) -> Int64 {
    creactor_file_size(file)
  }
}
