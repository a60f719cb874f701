/// Zeros after the end of a log, which the next batches overwrite.
///
/// A write that extends a file also has to bring the new size to the disk, in another place, one
/// after the other. A write that overwrites bytes waits only for itself. So a batch that needs new
/// space also writes zeros for the batches after it.
struct LogPreallocation {
  /// The size of a preallocation, in bytes: enough for the batches of a few milliseconds.
  static let byteCount = 512 * 1024
  private static let zeros = Bytes(repeating: 0, count: byteCount)

  /// The end of the bytes that batches may overwrite.
  private var end: Int64 = 0

  /// - Parameter batchEnd: The end of the batch that is about to be written.
  /// - Returns: The zeros to write after the batch; nil if it fits into the preallocated space.
  mutating func zeros(after batchEnd: Int64) -> Bytes? {
    guard batchEnd > end else { return nil }
    end = batchEnd + Int64(Self.byteCount)
    return Self.zeros
  }

  /// Another file is the log now, with nothing after its end.
  mutating func wasReplaced() {
    end = 0
  }

  /// The log was truncated, since the disk had no room. There is no preallocation for as long as
  /// one would have lasted.
  mutating func failed(at logEnd: Int64) {
    end = logEnd + Int64(Self.byteCount)
  }
}
