internal import Synchronization

/// Ranges of files that `cachestat(2)` reports as cached, but that may not have been read yet.
///
/// `cachestat(2)` counts a page as soon as its read begins, and `sendfile(2)` would wait for that
/// read. So a range with missing pages is doubted, together with the kernel's possible read-ahead
/// after it, until its bytes have been read. A doubt ends after a minute in any case: a disk that
/// takes longer has failed. All loops of the process share the doubts. They are kept by file
/// instead of by descriptor, since the next client opens the file again.
@safe
package final class CacheDoubts: Sendable {
  /// The instance of the process.
  package static let shared = CacheDoubts()

  /// The longest time that a doubt lasts.
  static let longestDuration = Duration.seconds(60)

  /// The most doubted files. Above this limit the oldest doubts are dropped.
  static let fileLimit = 1024

  /// Identifies a file, however it was opened.
  package struct FileID: Hashable {
    let device: UInt64
    let inode: UInt64

    package init(device: UInt64, inode: UInt64) {
      self.device = device
      self.inode = inode
    }
  }

  private struct Doubt {
    var ranges = RangeList()
    var time: SuspendingClock.Instant
  }

  private let doubts = Mutex<[FileID: Doubt]>([:])
  /// The number of doubts, to be read without the lock: usually zero.
  private let count = Atomic<Int>(0)

  package init() {}

  /// Doubts a range whose pages were missing or may be being read ahead.
  package func add(_ range: Range<Int64>, of file: FileID) {
    let now = SuspendingClock.now
    doubts.withLock { doubts in
      if doubts.count >= Self.fileLimit, doubts[file] == nil { forget(&doubts, now) }
      doubts[file, default: Doubt(time: now)].ranges.insert(range)
      doubts[file]?.time = now
      count.store(doubts.count, ordering: .releasing)
    }
  }

  /// Ends the doubt of a range whose bytes were read.
  package func remove(_ range: Range<Int64>, of file: FileID) {
    guard count.load(ordering: .acquiring) > 0 else { return }
    doubts.withLock { doubts in
      doubts[file]?.ranges.remove(range)
      if doubts[file]?.ranges.isEmpty == true { doubts[file] = nil }
      count.store(doubts.count, ordering: .releasing)
    }
  }

  /// Whether any part of the range is doubted.
  package func contains(_ range: Range<Int64>, of file: FileID) -> Bool {
    guard count.load(ordering: .acquiring) > 0 else { return false }
    return doubts.withLock { doubts in
      guard let doubt = doubts[file] else { return false }
      if SuspendingClock.now - doubt.time > Self.longestDuration {
        doubts[file] = nil
        count.store(doubts.count, ordering: .releasing)
        return false
      }
      return doubt.ranges.overlaps(range)
    }
  }

  /// Removes all doubts, for tests.
  package func removeAll() {
    doubts.withLock { doubts in
      doubts = [:]
      count.store(0, ordering: .releasing)
    }
  }

  /// Drops expired doubts, and the oldest one if that frees no slot.
  private func forget(_ doubts: inout [FileID: Doubt], _ now: SuspendingClock.Instant) {
    doubts = doubts.filter { now - $0.value.time <= Self.longestDuration }
    guard doubts.count >= Self.fileLimit else { return }
    if let oldest = doubts.min(by: { $0.value.time < $1.value.time }) { doubts[oldest.key] = nil }
  }
}
