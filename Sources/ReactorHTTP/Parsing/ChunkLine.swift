/// Reads the lines `chunk-size [ chunk-ext ] CRLF` (RFC 9112, 7.1) of a body.
///
/// Extensions are checked against their grammar and dropped. The whitespace that the grammar allows
/// for old senders is accepted inside extensions, but not between a size and its extensions, where
/// parsers disagree about it. Extensions and leading zeros of a size are limited, per line and per
/// body, so a client cannot make the server read much for little content.
struct ChunkLine: Sendable {
  /// The most bytes of one line, including its line end.
  static let byteCountLimit = 1024

  /// The most excess bytes in all lines of a body. Each chunk may use 16 bytes plus twice the size
  /// of its content without counting as excess.
  static let excessByteCountLimit = 16 * 1024
  private static let usualByteCount: Int64 = 16

  private enum Part {
    case size
    case beforeSemicolon
    case beforeName, name, afterName
    case beforeValue, value, quotedValue, quotedPair, afterQuoted
    case lineFeed
  }

  private var part = Part.size
  private var size: Int64 = 0
  private var digitCount = 0
  private var byteCount = 0
  private var excessByteCount: Int64 = 0

  /// Continues where the last call stopped.
  ///
  /// - Parameter position: The index of the next byte; moved past the bytes read.
  /// - Returns: The size of the chunk, once the line is complete.
  mutating func parse(
    _ bytes: Span<UInt8>, _ position: inout Int
  ) throws(RequestError) -> Int64? {
    while position < bytes.count {
      let byte = bytes[position]
      position += 1
      byteCount += 1
      if part == .lineFeed {
        guard byte == .lineFeed else { throw .bareCarriageReturn }
        return try endLine()
      }
      guard byteCount < Self.byteCountLimit else { throw Self.tooLong }
      if part == .size, let digit = byte.hexDigitValue {
        try addDigit(digit)
      } else if byte == .carriageReturn {
        guard mayEndLine else { throw Self.malformed }
        part = .lineFeed
      } else {
        guard let next = part(after: byte) else { throw Self.malformed }
        part = next
      }
    }
    return nil
  }

  private static let tooLong = RequestError.bad("The chunk size lines are too long.")
  private static let malformed = RequestError.bad("The chunk size line is malformed.")

  private mutating func addDigit(_ digit: UInt8) throws(RequestError) {
    digitCount += 1
    guard size <= Int64.max >> 4 else {
      throw RequestError(.contentTooLarge, "The size of a chunk is too large.")
    }
    size = size << 4 | Int64(digit)
  }

  /// The part that begins with a byte that is neither a digit of the size nor the line end; nil if
  /// the byte is not allowed.
  private func part(after byte: UInt8) -> Part? {
    switch part {
    case .size: digitCount > 0 && byte == UInt8(ascii: ";") ? .beforeName : nil
    case .beforeSemicolon, .afterQuoted: Self.afterItem(byte)
    case .beforeName: byte.isBlank ? .beforeName : byte.isInTokens ? .name : nil
    case .name where byte.isInTokens: .name
    case .name, .afterName:
      byte.isBlank ? .afterName : byte == UInt8(ascii: "=") ? .beforeValue : Self.afterItem(byte)
    case .beforeValue:
      byte.isBlank
        ? .beforeValue : byte.isInTokens ? .value : byte == .quote ? .quotedValue : nil
    case .value: byte.isInTokens ? .value : Self.afterItem(byte)
    case .quotedValue:
      switch byte {
      case .quote: .afterQuoted
      case UInt8(ascii: "\\"): .quotedPair
      default: byte.isInFieldValues ? .quotedValue : nil
      }
    case .quotedPair: byte.isInFieldValues ? .quotedValue : nil
    case .lineFeed: nil
    }
  }

  private static func afterItem(_ byte: UInt8) -> Part? {
    byte.isBlank ? .beforeSemicolon : byte == UInt8(ascii: ";") ? .beforeName : nil
  }

  private var mayEndLine: Bool {
    switch part {
    case .size: digitCount > 0
    case .name, .value, .afterQuoted: true
    default: false
    }
  }

  private mutating func endLine() throws(RequestError) -> Int64 {
    let usual = Self.usualByteCount + 2 * min(size, Int64.max >> 2)
    excessByteCount = max(0, excessByteCount + Int64(byteCount) - usual)
    guard excessByteCount <= Self.excessByteCountLimit else { throw Self.tooLong }
    defer { (part, size, digitCount, byteCount) = (.size, 0, 0, 0) }
    return size
  }
}
