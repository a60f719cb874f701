/// The zeros behind the end of a log, which the next batches overwrite.
///
/// A write that makes a file longer has to bring the file's new size to the disk, too, in another
/// place and one after the other. One that overwrites bytes waits for itself alone. So a batch that
/// needs new room brings some for those that follow it.
struct LogReserve {
  /// Of the zeros that a batch brings; enough for the batches of some milliseconds.
  static let byteCount = 512 * 1024
  private static let zeros = Bytes(repeating: 0, count: byteCount)

  /// Up to where the file has bytes that batches may overwrite.
  private var end: Int64 = 0

  /// - Parameter batchEnd: Of a batch that is about to be written.
  /// - Returns: What is to be written behind it, if anything.
  mutating func zeros(behind batchEnd: Int64) -> Bytes? {
    guard batchEnd > end else { return nil }
    end = batchEnd + Int64(Self.byteCount)
    return Self.zeros
  }

  /// The log is another one, with nothing behind its end.
  mutating func wasReplaced() {
    end = 0
  }

  /// The log has been cut, since there was no room. It goes on without a reserve for as long as one
  /// would have lasted.
  mutating func failed(at logEnd: Int64) {
    end = logEnd + Int64(Self.byteCount)
  }
}
