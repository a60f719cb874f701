/// The part of a file that was read a moment ago, and so is in the page cache.
///
/// Stands in where the kernel does not say what is cached: since Linux 6.14, `cachestat(2)` answers
/// only those who own a file or may write to it, which a server of other people's files does not.
struct ProvenRange {
  /// How long a proof counts. A page that was just used is hardly ever reclaimed so soon, and one
  /// reading of a second costs little beside all the others.
  static let validity = Duration.seconds(1)

  private var range: Range<Int64> = 0..<0
  /// When the oldest part of it was read.
  private var start = ContinuousClock.now

  /// Notes what was read.
  mutating func add(_ new: Range<Int64>, at now: ContinuousClock.Instant) {
    let isNeighbor = new.lowerBound <= range.upperBound && range.lowerBound <= new.upperBound
    if isNeighbor, now - start < Self.validity {
      range =
        min(range.lowerBound, new.lowerBound)..<max(range.upperBound, new.upperBound)
    } else {
      (range, start) = (new, now)
    }
  }

  /// How many of the bytes from a place on are proven.
  func byteCount(from place: Int64, at now: ContinuousClock.Instant) -> Int64 {
    guard range.contains(place), now - start < Self.validity else { return 0 }
    return range.upperBound - place
  }
}
