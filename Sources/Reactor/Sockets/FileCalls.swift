internal import CReactor
internal import PosixAIO
internal import SystemPackage

/// The system calls that send a file range to a socket. A test overrides them to inject failures
/// and wrong results.
///
/// Sendable because it has no state. A test's subclass with state stays on the test's thread.
@safe
class FileCalls: @unchecked Sendable {
  /// Calls the kernel.
  static let live = FileCalls()

  /// Sends bytes from a file. Wraps `sendfile(2)`, without SIGPIPE.
  ///
  /// - Returns: The number of bytes that the socket took, 0 at the file's end; -1 on failure, with
  ///   `errno` set.
  func send(_ byteCount: Int, of file: Int32, at offset: Int64, to socket: Int32) -> Int {
    creactor_send_file(socket, file, offset, byteCount)
  }

  /// The number of pages of a non-empty range that are not in the page cache. Wraps `cachestat(2)`.
  ///
  /// - Returns: The number of pages; -1 on failure, with `errno` set.
  func missingPageCount(of file: Int32, _ range: Range<Int64>) -> Int64 {
    PageCache.missingPageCount(of: FileDescriptor(rawValue: file), range)
  }

  /// Fills memory from the page cache without waiting for the disk. Wraps `preadv2(2)` with
  /// `RWF_NOWAIT`.
  ///
  /// - Returns: The number of bytes read; -1 on failure, with `errno` set.
  func readCached(
    _ file: Int32, into memory: UnsafeMutableRawBufferPointer, at offset: Int64
  ) -> Int {
    unsafe PageCache.read(FileDescriptor(rawValue: file), into: memory, at: offset)
  }

  /// The file's current size. Wraps `fstat(2)`.
  ///
  /// - Returns: -1 on failure.
  func byteCount(of file: Int32) -> Int64 {
    creactor_file_size(file)
  }
}
