/// A part of a file that was read recently, and so is in the page cache.
///
/// Used if the kernel does not say what is cached: since Linux 6.14, `cachestat(2)` works only for
/// processes that own the file or may write to it, which a server of other users' files may not.
struct ProvenRange {
  /// How long a range counts as cached. A page just used is hardly ever reclaimed so soon, and
  /// reading once a second costs little compared with everything else.
  static let validity = Duration.seconds(1)

  private var range: Range<Int64> = 0..<0
  /// The time at which its oldest part was read.
  private var start = ContinuousClock.now

  /// Notes a range that was read.
  mutating func add(_ new: Range<Int64>, at now: ContinuousClock.Instant) {
    let isNeighbor = new.lowerBound <= range.upperBound && range.lowerBound <= new.upperBound
    if isNeighbor, now - start < Self.validity {
      range =
        min(range.lowerBound, new.lowerBound)..<max(range.upperBound, new.upperBound)
    } else {
      (range, start) = (new, now)
    }
  }

  /// The number of bytes from `place` on that were read recently.
  func byteCount(from place: Int64, at now: ContinuousClock.Instant) -> Int64 {
    guard range.contains(place), now - start < Self.validity else { return 0 }
    return range.upperBound - place
  }
}
