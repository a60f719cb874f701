import ReactorHTTP

/// The parts of a file that a `Range` header asks for (RFC 9110, section 14).
enum ByteRanges: Equatable {
  /// The ranges that one request may ask for; a header with more is ignored, and the client gets
  /// the whole file: each one costs a header of its own and a read.
  static let maximumCount = 16

  /// Ranges with a smaller gap between them are sent as one: the header between two parts takes
  /// about as much.
  static let maximumGapByteCount: Int64 = 128

  /// No header, or one that means nothing here.
  case whole

  /// One or more, none of them empty, without overlaps, within the file.
  case parts([Range<Int64>])

  /// The file has nothing of what is asked for.
  case unsatisfiable

  /// - Parameters:
  ///   - header: The value of `Range`; nil is none.
  ///   - byteCount: The size of what is to be sent.
  init(_ header: String?, byteCount: Int64) {
    guard let header, let asked = Self.parse(header) else {
      self = .whole
      return
    }
    let parts = asked.compactMap { $0.resolved(byteCount) }
    self = parts.isEmpty ? .unsatisfiable : .parts(Self.coalesced(parts))
  }

  /// A range as a client writes it.
  private enum Asked {
    case from(Int64, through: Int64)
    case last(Int64)

    /// What the file has of it; nil is nothing.
    func resolved(_ byteCount: Int64) -> Range<Int64>? {
      switch self {
      case .from(let first, let last):
        first < byteCount ? first..<(min(last, byteCount - 1) + 1) : nil
      case .last(let count):
        count > 0 && byteCount > 0 ? max(0, byteCount - count)..<byteCount : nil
      }
    }
  }

  /// Nil for another unit than bytes, for what is no list of ranges, and for too many of them.
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

  /// Digits only; what is too large for any file becomes the largest number.
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

  /// Joins what overlaps or nearly touches, so that no byte is sent twice; otherwise the order is
  /// the client's.
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
