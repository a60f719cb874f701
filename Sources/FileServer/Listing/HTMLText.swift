/// The bytes of a page, to which names are added safely.
struct HTMLText {
  private(set) var bytes: [UInt8] = []

  var byteCount: Int { bytes.count }

  mutating func append(_ markup: String) {
    bytes += markup.utf8
  }

  /// Adds a text that markup in it must not change.
  ///
  /// - Parameter text: Bytes that need not be UTF-8; wrong ones become replacement characters.
  mutating func append(escaping text: some Collection<UInt8>) {
    // Bytes below 128 are never a part of another character, so combining marks change nothing.
    for byte in String(decoding: text, as: UTF8.self).utf8 {
      switch byte {
      case UInt8(ascii: "&"): bytes += "&amp;".utf8
      case UInt8(ascii: "<"): bytes += "&lt;".utf8
      case UInt8(ascii: ">"): bytes += "&gt;".utf8
      case UInt8(ascii: "\""): bytes += "&quot;".utf8
      case UInt8(ascii: "'"): bytes += "&#39;".utf8
      default: bytes.append(byte)
      }
    }
  }

  /// Adds a file name for use in a link. A link that began with two slashes or a scheme would lead
  /// elsewhere; encoding all of them prevents that.
  mutating func append(percentEncoding name: some Collection<UInt8>) {
    bytes.append(percentEncoding: name)
  }
}

func htmlEscaped(_ text: String) -> String {
  var escaped = HTMLText()
  escaped.append(escaping: text.utf8)
  return String(decoding: escaped.bytes, as: UTF8.self)
}
