import Glibc

/// A string of the protocol: any bytes, no encoding.
typealias Bytes = [UInt8]

extension RawSpan {
  subscript(index: Int) -> UInt8 {
    // Checks the bounds; any byte is a valid UInt8.
    unsafe unsafeLoad(fromByteOffset: index, as: UInt8.self)
  }

  /// Copies a range of the bytes.
  func copy(_ range: Range<Int>) -> Bytes {
    unsafe withUnsafeBytes { unsafe Bytes($0[range]) }
  }

  /// The index of the first occurrence of a byte at or after an offset.
  func firstIndex(of byte: UInt8, from offset: Int) -> Int? {
    guard offset < byteCount else { return nil }
    return unsafe withUnsafeBytes { bytes in
      guard let base = bytes.baseAddress,
        let found = unsafe memchr(base + offset, Int32(byte), bytes.count - offset)
      else { return nil }
      return unsafe UnsafeRawPointer(found) - base
    }
  }

  /// Parses a range as a decimal number in canonical form: no plus sign, no leading zeros, no
  /// spaces. Returns nil for anything else, and on overflow.
  func integer(in range: Range<Int>) -> Int64? {
    guard let first = range.first else { return nil }
    let isNegative = self[first] == UInt8(ascii: "-")
    let digits = isNegative ? range.dropFirst() : range
    guard let lead = digits.first, digits.count <= Self.maximumDigitCount else { return nil }
    if self[lead] == UInt8(ascii: "0") { return range.count == 1 ? 0 : nil }
    var number: Int64 = 0
    for index in digits {
      let digit = self[index] &- UInt8(ascii: "0")
      guard digit <= 9 else { return nil }
      let (product, isTooLarge) = number.multipliedReportingOverflow(by: 10)
      // Int64 has one more value below zero than above, so the number is built as a negative one.
      let (next, isOver) = product.subtractingReportingOverflow(Int64(digit))
      guard !isTooLarge, !isOver else { return nil }
      number = next
    }
    guard !isNegative else { return number }
    return number == .min ? nil : -number
  }

  /// The digits of `Int64.min`.
  private static var maximumDigitCount: Int { 19 }
}

extension Array where Element == UInt8 {
  /// Parses the bytes as a decimal number; see ``RawSpan/integer(in:)``.
  var integer: Int64? { unsafe span.bytes.integer(in: 0..<count) }

  /// The bytes with ASCII letters in upper case.
  var uppercased: Bytes {
    map { (UInt8(ascii: "a")...UInt8(ascii: "z")).contains($0) ? $0 - 32 : $0 }
  }

  /// The bytes with ASCII letters in lower case.
  var lowercased: Bytes {
    map { (UInt8(ascii: "A")...UInt8(ascii: "Z")).contains($0) ? $0 + 32 : $0 }
  }

  /// The bytes as text for messages; invalid UTF-8 becomes replacement characters.
  var text: String { String(decoding: self, as: UTF8.self) }
}
