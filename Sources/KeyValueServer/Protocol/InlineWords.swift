/// Splits an inline command into words as Redis does: at spaces, with quotes around words that
/// contain spaces.
enum InlineWords {
  /// - Returns: Nil if a quote is not closed, or if its closing quote is not followed by a space.
  static func split(_ line: Bytes) -> [Bytes]? {
    var words: [Bytes] = []
    var rest = line[...]
    while true {
      rest = rest.drop { isSpace($0) }
      guard !rest.isEmpty else { return words }
      guard let word = takeWord(&rest) else { return nil }
      words.append(word)
    }
  }

  private static func takeWord(_ rest: inout ArraySlice<UInt8>) -> Bytes? {
    var word: Bytes = []
    while let byte = rest.first, !isSpace(byte) {
      rest.removeFirst()
      switch byte {
      case UInt8(ascii: "\""), UInt8(ascii: "'"):
        guard takeQuoted(by: byte, &rest, into: &word) else { return nil }
        // A closing quote ends the word.
        return rest.first.map { isSpace($0) } ?? true ? word : nil
      default:
        word.append(byte)
      }
    }
    return word
  }

  /// - Returns: Whether the closing quote was found.
  private static func takeQuoted(
    by quote: UInt8, _ rest: inout ArraySlice<UInt8>, into word: inout Bytes
  ) -> Bool {
    while let byte = rest.popFirst() {
      if byte == quote { return true }
      guard byte == UInt8(ascii: "\\"), let next = rest.first else {
        word.append(byte)
        continue
      }
      if quote == UInt8(ascii: "'") {
        // Between single quotes, only the quote itself can be escaped.
        guard next == quote else {
          word.append(byte)
          continue
        }
        rest.removeFirst()
        word.append(next)
      } else {
        rest.removeFirst()
        word.append(escaped(next, &rest))
      }
    }
    return false
  }

  private static func escaped(_ byte: UInt8, _ rest: inout ArraySlice<UInt8>) -> UInt8 {
    switch byte {
    case UInt8(ascii: "n"): return UInt8(ascii: "\n")
    case UInt8(ascii: "r"): return UInt8(ascii: "\r")
    case UInt8(ascii: "t"): return UInt8(ascii: "\t")
    case UInt8(ascii: "b"): return 0x08
    case UInt8(ascii: "a"): return 0x07
    case UInt8(ascii: "x"):
      let digits = rest.prefix(2)
      guard digits.count == 2, let high = digits.first.flatMap(hexadecimal),
        let low = digits.last.flatMap(hexadecimal)
      else { return byte }
      rest.removeFirst(2)
      return high << 4 | low
    default: return byte
    }
  }

  private static func hexadecimal(_ digit: UInt8) -> UInt8? {
    Character(UnicodeScalar(digit)).hexDigitValue.map { UInt8($0) }
  }

  private static func isSpace(_ byte: UInt8) -> Bool {
    // The characters of isspace(3), and the zero byte, at which a C string would end.
    byte == 0x20 || (0x09...0x0D).contains(byte) || byte == 0
  }
}
