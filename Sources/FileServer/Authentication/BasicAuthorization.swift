/// The user and the password in an `Authorization` field of the scheme Basic (RFC 7617).
struct BasicAuthorization: Equatable, Sendable {
  let user: String
  let password: [UInt8]

  /// - Returns: Nil for another scheme, and for a text that is not base64 with a colon.
  init?(_ field: String) {
    let words = field.utf8.split(separator: UInt8(ascii: " "))
    guard words.count == 2, String(Substring(words[0])).lowercased() == "basic",
      let bytes = Self.decoded(words[1]), let colon = bytes.firstIndex(of: UInt8(ascii: ":"))
    else { return nil }
    user = String(decoding: bytes[..<colon], as: UTF8.self)
    password = Array(bytes[(colon + 1)...])
  }

  /// Decodes base64 (RFC 4648), with or without padding.
  private static func decoded(_ text: Substring.UTF8View) -> [UInt8]? {
    var (bytes, bits, bitCount): ([UInt8], UInt32, Int) = ([], 0, 0)
    for byte in text {
      if byte == UInt8(ascii: "=") { break }
      guard let value = value(of: byte) else { return nil }
      bits = bits << 6 | UInt32(value)
      bitCount += 6
      guard bitCount >= 8 else { continue }
      bitCount -= 8
      bytes.append(UInt8(truncatingIfNeeded: bits >> UInt32(bitCount)))
    }
    return bytes
  }

  private static func value(of digit: UInt8) -> UInt8? {
    switch digit {
    case UInt8(ascii: "A")...UInt8(ascii: "Z"): digit - UInt8(ascii: "A")
    case UInt8(ascii: "a")...UInt8(ascii: "z"): digit - UInt8(ascii: "a") + 26
    case UInt8(ascii: "0")...UInt8(ascii: "9"): digit - UInt8(ascii: "0") + 52
    case UInt8(ascii: "+"): 62
    case UInt8(ascii: "/"): 63
    default: nil
    }
  }
}
