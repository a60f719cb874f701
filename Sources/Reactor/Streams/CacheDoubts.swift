internal import PosixAIO
internal import Synchronization

/// Which ranges of files are in the page cache as far as `cachestat(2)` knows, and perhaps not read
/// yet.
///
/// That counts a page from the moment at which its read begins, and `sendfile(2)` would wait for
/// the read. So a range in which pages were missing is doubted, together with what the kernel may
/// read ahead behind it, until its bytes were read. A doubt ends after a minute in any case: a disk
/// that takes longer has failed. Shared by all loops of the process, and kept by file rather than
/// by descriptor, since the next client opens the file anew.
@safe
final class CacheDoubts: Sendable {
  /// Of the process.
  static let shared = CacheDoubts()

  /// How long a doubt lasts at most.
  static let longestDuration = Duration.seconds(60)

  /// The most files that are doubted; of more, those doubted first are forgotten.
  static let fileLimit = 1024

  /// What makes a file the same one, however it was opened.
  struct FileID: Hashable {
    let device: UInt64
    let inode: UInt64
  }

  private struct Doubt {
    var ranges = RangeList()
    var time: SuspendingClock.Instant
  }

  private let doubts = Mutex<[FileID: Doubt]>([:])
  /// As many as there are, to be asked without a lock: as a rule none.
  private let count = Atomic<Int>(0)

  init() {}

  /// Pages of the range were missing, or the kernel may be reading them ahead.
  func add(_ range: Range<Int64>, of file: FileID) {
    let now = SuspendingClock.now
    doubts.withLock { doubts in
      if doubts.count >= Self.fileLimit, doubts[file] == nil { forget(&doubts, now) }
      doubts[file, default: Doubt(time: now)].ranges.insert(range)
      doubts[file]?.time = now
      count.store(doubts.count, ordering: .releasing)
    }
  }

  /// The range's bytes were read: they are there.
  func remove(_ range: Range<Int64>, of file: FileID) {
    guard count.load(ordering: .acquiring) > 0 else { return }
    doubts.withLock { doubts in
      doubts[file]?.ranges.remove(range)
      if doubts[file]?.ranges.isEmpty == true { doubts[file] = nil }
      count.store(doubts.count, ordering: .releasing)
    }
  }

  /// Whether a part of the range is doubted.
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

  /// Forgets all, for tests.
  func removeAll() {
    doubts.withLock { doubts in
      doubts = [:]
      count.store(0, ordering: .releasing)
    }
  }

  /// Makes room for one more.
  private func forget(_ doubts: inout [FileID: Doubt], _ now: SuspendingClock.Instant) {
    doubts = doubts.filter { now - $0.value.time <= Self.longestDuration }
    guard doubts.count >= Self.fileLimit else { return }
    if let oldest = doubts.min(by: { $0.value.time < $1.value.time }) { doubts[oldest.key] = nil }
  }
}

/// Disjoint ranges in order, not many: where there would be more, the closest ones are taken for
/// one with what is between them.
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
    // Those that it touches become one with it.
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
      let behind = min(other.upperBound, range.upperBound)..<other.upperBound
      return [before, behind].filter { !$0.isEmpty }
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
