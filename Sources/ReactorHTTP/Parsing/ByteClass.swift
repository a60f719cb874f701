/// The classes of bytes that RFC 9110 and RFC 9112 use.
extension UInt8 {
  static let tab = UInt8(ascii: "\t")
  static let lineFeed = UInt8(ascii: "\n")
  static let carriageReturn = UInt8(ascii: "\r")
  static let space = UInt8(ascii: " ")
  static let colon = UInt8(ascii: ":")
  static let quote = UInt8(ascii: "\"")

  /// `tchar` (RFC 9110, 5.6.2): the bytes of methods and field names.
  var isInTokens: Bool {
    isIn(low: 0x03ff_6cfa_0000_0000, high: 0x57ff_ffff_c7ff_fffe)
  }

  /// `unreserved` and `sub-delims` (RFC 3986, 2): the bytes of a registered name, without "%".
  var isInRegisteredNames: Bool {
    isIn(low: 0x2bff_7fd2_0000_0000, high: 0x47ff_fffe_87ff_fffe)
  }

  /// `field-vchar`, space or tab (RFC 9110, 5.5): the bytes of field values.
  var isInFieldValues: Bool { self >= 0x20 && self != 0x7f || self == .tab }

  /// The bytes of request targets: `VCHAR`, and those from 0x80 on.
  var isInTargets: Bool { self > 0x20 && self != 0x7f }

  /// `OWS` (RFC 9110, 5.6.3).
  var isBlank: Bool { self == .space || self == .tab }

  /// `DIGIT`.
  var isDigit: Bool { self &- UInt8(ascii: "0") < 10 }

  /// The value of a `HEXDIG` in either case; nil for other bytes.
  package var hexDigitValue: UInt8? {
    let digit = self &- UInt8(ascii: "0")
    if digit < 10 { return digit }
    let letter = (self | 0x20) &- UInt8(ascii: "a")
    return letter < 6 ? letter + 10 : nil
  }

  /// The lowercase form of an ASCII letter; other bytes are unchanged.
  var asciiLowercased: UInt8 {
    self &- UInt8(ascii: "A") < 26 ? self | 0x20 : self
  }

  /// Whether a set of ASCII bytes, given as bits, contains this byte.
  private func isIn(low: UInt64, high: UInt64) -> Bool {
    let bits = self < 64 ? low : high
    return self < 128 && (bits &>> UInt64(self & 63)) & 1 != 0
  }
}

extension Span<UInt8> {
  /// Whether the text is a token (RFC 9110, 5.6.2).
  var isToken: Bool { !isEmpty && firstIndex { !$0.isInTokens } == nil }

  /// The index of the first byte, from `start` on, that satisfies a condition.
  @inline(__always)
  func firstIndex(from start: Int = 0, where condition: (UInt8) -> Bool) -> Int? {
    var index = start
    while index < count {
      if condition(self[index]) { return index }
      index += 1
    }
    return nil
  }

  /// The same, but skips eight bytes at a time if none of them is below `limit` or equal to 0x7f.
  /// Every byte that satisfies the condition must be one of those.
  @inline(__always)
  func firstIndex(
    from start: Int, below limit: UInt8, where condition: (UInt8) -> Bool
  ) -> Int? {
    var index = start
    while index <= count - 8 {
      let end = index + 8
      if eightBytes(at: index).hasByte(below: limit) {
        while index < end {
          if condition(self[index]) { return index }
          index += 1
        }
      }
      index = end
    }
    return firstIndex(from: index, where: condition)
  }

  /// Reads eight bytes; the compiler makes one load of it.
  @inline(__always)
  private func eightBytes(at index: Int) -> UInt64 {
    let bytes = extracting(index..<index + 8)
    var word = UInt64(bytes[0]) | UInt64(bytes[1]) << 8
    word |= UInt64(bytes[2]) << 16 | UInt64(bytes[3]) << 24
    word |= UInt64(bytes[4]) << 32 | UInt64(bytes[5]) << 40
    return word | UInt64(bytes[6]) << 48 | UInt64(bytes[7]) << 56
  }

  /// Compares, ignoring the case of ASCII letters.
  func equalsIgnoringCase(_ other: Span<UInt8>) -> Bool {
    guard count == other.count else { return false }
    for index in indices where self[index].asciiLowercased != other[index].asciiLowercased {
      return false
    }
    return true
  }

  /// The range without the blanks at its ends.
  func trimmingBlanks(_ range: Range<Int>) -> Range<Int> {
    var (start, end) = (range.lowerBound, range.upperBound)
    while start < end, self[start].isBlank { start += 1 }
    while end > start, self[end - 1].isBlank { end -= 1 }
    return start..<end
  }

  /// Calls `body` with the elements of a comma-separated list (RFC 9110, 5.6.1), including empty
  /// ones, without the blanks around them. A comma in a quoted string also separates elements.
  func forEachElement<Failure: Error>(
    _ body: (Range<Int>) throws(Failure) -> Void
  ) throws(Failure) {
    var start = 0
    while let comma = firstIndex(from: start, where: { $0 == UInt8(ascii: ",") }) {
      try body(trimmingBlanks(start..<comma))
      start = comma + 1
    }
    try body(trimmingBlanks(start..<count))
  }

  /// The text, with replacement characters for bytes that are not UTF-8.
  func text(_ range: Range<Int>) -> String {
    let part = extracting(range)
    if let valid = try? UTF8Span(validating: part) { return String(copying: valid) }
    return String(decoding: [UInt8](copying: part), as: UTF8.self)
  }
}

extension UInt64 {
  /// Whether any of its eight bytes is below `limit`, at most 0x80, or equals 0x7f.
  @inline(__always)
  fileprivate func hasByte(below limit: UInt8) -> Bool {
    let ones: UInt64 = 0x0101_0101_0101_0101
    let tops = ones << 7
    let isBelow = (self &- ones &* UInt64(limit)) & ~self
    let without127 = self ^ ones &* 0x7f
    return (isBelow | (without127 &- ones) & ~without127) & tops != 0
  }
}

extension [UInt8] {
  /// Copies the bytes.
  init(copying bytes: Span<UInt8>) {
    self.init()
    reserveCapacity(bytes.count)
    append(bytes)
  }
}
