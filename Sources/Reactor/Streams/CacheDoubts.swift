internal import PosixAIO
internal import Synchronization

/// Ranges of files that `cachestat(2)` reports as cached, but that may not have been read yet.
///
/// `cachestat(2)` counts a page as soon as its read begins, and `sendfile(2)` would wait for that
/// read. So a range with missing pages is doubted, together with the kernel's possible read-ahead
/// after it, until its bytes have been read. A doubt ends after a minute in any case: a disk that
/// takes longer has failed. All loops of the process share the doubts. They are kept by file
/// instead of by descriptor, since the next client opens the file again.
@safe
final class CacheDoubts: Sendable {
  /// The instance of the process.
  static let shared = CacheDoubts()

  /// The longest time that a doubt lasts.
  static let longestDuration = Duration.seconds(60)

  /// The most doubted files. Above this limit the oldest doubts are dropped.
  static let fileLimit = 1024

  /// Identifies a file, however it was opened.
  struct FileID: Hashable {
    let device: UInt64
    let inode: UInt64
  }

  private struct Doubt {
    var ranges = RangeList()
    var time: SuspendingClock.Instant
  }

  private let doubts = Mutex<[FileID: Doubt]>([:])
  /// The number of doubts, to be read without the lock: usually zero.
  private let count = Atomic<Int>(0)

  init() {}

  /// Doubts a range whose pages were missing or may be being read ahead.
  func add(_ range: Range<Int64>, of file: FileID) {
    let now = SuspendingClock.now
    doubts.withLock { doubts in
      if doubts.count >= Self.fileLimit, doubts[file] == nil { forget(&doubts, now) }
      doubts[file, default: Doubt(time: now)].ranges.insert(range)
      doubts[file]?.time = now
      count.store(doubts.count, ordering: .releasing)
    }
  }

  /// Ends the doubt of a range whose bytes were read.
  func remove(_ range: Range<Int64>, of file: FileID) {
    guard count.load(ordering: .acquiring) > 0 else { return }
    doubts.withLock { doubts in
      doubts[file]?.ranges.remove(range)
      if doubts[file]?.ranges.isEmpty == true { doubts[file] = nil }
      count.store(doubts.count, ordering: .releasing)
    }
  }

  /// Whether any part of the range is doubted.
  func contains(_ range: Range<Int64>, of file: FileID) -> Bool {
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
  func removeAll() {
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

/// A short list of disjoint ranges in order. Above the limit, the two closest ranges are joined
/// together with the gap between them.
struct RangeList: Equatable {
  /// The most ranges.
  static let limit = 32

  private(set) var ranges: [Range<Int64>] = []

  var isEmpty: Bool { ranges.isEmpty }

  func overlaps(_ range: Range<Int64>) -> Bool {
    ranges.contains { $0.overlaps(range) }
  }

  mutating func insert(_ range: Range<Int64>) {
    guard !range.isEmpty else { return }
    var (lower, upper) = (range.lowerBound, range.upperBound)
    // Ranges that it touches are merged with it.
    ranges.removeAll { other in
      guard other.lowerBound <= upper, lower <= other.upperBound else { return false }
      (lower, upper) = (min(lower, other.lowerBound), max(upper, other.upperBound))
      return true
    }
    let index = ranges.firstIndex { $0.lowerBound > lower } ?? ranges.endIndex
    ranges.insert(lower..<upper, at: index)
    if ranges.count > Self.limit { joinClosest() }
  }

  mutating func remove(_ range: Range<Int64>) {
    guard !range.isEmpty else { return }
    ranges = ranges.flatMap { other -> [Range<Int64>] in
      guard other.overlaps(range) else { return [other] }
      let before = other.lowerBound..<max(other.lowerBound, range.lowerBound)
      let after = min(other.upperBound, range.upperBound)..<other.upperBound
      return [before, after].filter { !$0.isEmpty }
    }
    if ranges.count > Self.limit { joinClosest() }
  }

  private mutating func joinClosest() {
    let gaps = zip(ranges, ranges.dropFirst()).map { $1.lowerBound - $0.upperBound }
    guard let least = gaps.indices.min(by: { gaps[$0] < gaps[$1] }) else { return }
    ranges[least] = ranges[least].lowerBound..<ranges[least + 1].upperBound
    ranges.remove(at: least + 1)
  }
}
