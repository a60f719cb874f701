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
