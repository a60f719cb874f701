import ReactorHTTP

/// The parts of a file that a `Range` header asks for (RFC 9110, section 14).
enum ByteRanges: Equatable {
  /// The most ranges in one request. Each range costs a header of its own and a read, so a header
  /// with more is ignored and the client gets the whole file.
  static let maximumCount = 16

  /// Ranges with a gap of at most this many bytes between them are merged: the header between two
  /// parts is about as long.
  static let maximumGapByteCount: Int64 = 128

  /// There is no header, or it does not apply. It never applies to an empty file: clients that
  /// resume or probe one expect a 200, as other servers send.
  case whole

  /// One or more ranges, non-empty, without overlaps, within the file.
  case parts([Range<Int64>])

  /// The file contains none of the ranges.
  case unsatisfiable

  /// - Parameters:
  ///   - header: The value of `Range`; nil without one.
  ///   - byteCount: The size of the representation in bytes.
  init(_ header: String?, byteCount: Int64) {
    guard byteCount > 0, let header, let asked = Self.parse(header) else {
      self = .whole
      return
    }
    let parts = asked.compactMap { $0.resolved(byteCount) }
    self = parts.isEmpty ? .unsatisfiable : .parts(Self.coalesced(parts))
  }

  /// A range in the form that the client wrote.
  private enum Asked {
    case from(Int64, through: Int64)
    case last(Int64)

    /// The part of the range inside the file; nil if there is none.
    func resolved(_ byteCount: Int64) -> Range<Int64>? {
      switch self {
      case .from(let first, let last):
        first < byteCount ? first..<(min(last, byteCount - 1) + 1) : nil
      case .last(let count):
        count > 0 ? max(0, byteCount - count)..<byteCount : nil
      }
    }
  }

  /// Nil for a unit other than bytes, for a malformed list, and for too many ranges.
  private static func parse(_ header: String) -> [Asked]? {
    let halves = header.utf8.split(separator: UInt8(ascii: "="), maxSplits: 1)
    guard halves.count == 2, String(Substring(halves[0])).lowercased() == "bytes" else {
      return nil
    }
    var ranges: [Asked] = []
    for element in halves[1].split(separator: UInt8(ascii: ",")) {
      let text = element.trimmed
      // A list may have empty elements.
      guard !text.isEmpty else { continue }
      guard ranges.count < maximumCount, let range = parse(text) else { return nil }
      ranges.append(range)
    }
    return ranges.isEmpty ? nil : ranges
  }

  private static func parse(_ text: Substring.UTF8View) -> Asked? {
    guard let dash = text.firstIndex(of: UInt8(ascii: "-")) else { return nil }
    let (before, after) = (text[..<dash], text[text.index(after: dash)...])
    if before.isEmpty { return number(after).map { .last($0) } }
    guard let first = number(before) else { return nil }
    if after.isEmpty { return .from(first, through: .max) }
    guard let last = number(after), first <= last else { return nil }
    return .from(first, through: last)
  }

  /// Digits only; a number that is too large for any file becomes the largest number.
  private static func number(_ text: Substring.UTF8View) -> Int64? {
    guard !text.isEmpty else { return nil }
    var number: Int64 = 0
    for byte in text {
      guard (UInt8(ascii: "0")...UInt8(ascii: "9")).contains(byte) else { return nil }
      let (tens, isTooLarge) = number.multipliedReportingOverflow(by: 10)
      let (sum, isSumTooLarge) = tens.addingReportingOverflow(Int64(byte - UInt8(ascii: "0")))
      number = isTooLarge || isSumTooLarge || number == .max ? .max : sum
    }
    return number
  }

  /// Merges ranges that overlap or nearly touch, so that no byte is sent twice, and otherwise keeps
  /// the order of the client.
  private static func coalesced(_ ranges: [Range<Int64>]) -> [Range<Int64>] {
    var parts: [Range<Int64>] = []
    for range in ranges {
      var joined = range
      var place = parts.endIndex
      while let index = parts.firstIndex(where: { $0.isNear(joined) }) {
        let other = parts.remove(at: index)
        joined =
          min(joined.lowerBound, other.lowerBound)..<max(joined.upperBound, other.upperBound)
        place = min(place, index)
      }
      parts.insert(joined, at: min(place, parts.endIndex))
    }
    return parts
  }
}

extension Range<Int64> {
  fileprivate func isNear(_ other: Range<Int64>) -> Bool {
    Swift.max(lowerBound, other.lowerBound) - Swift.min(upperBound, other.upperBound)
      <= ByteRanges.maximumGapByteCount
  }
}
