extension Substring.UTF8View {
  /// The text without the spaces and tabs that parts of a header value may have around them.
  var trimmed: Substring.UTF8View {
    var text = self
    while let first = text.first, first.isBlank { text.removeFirst() }
    while let last = text.last, last.isBlank { text.removeLast() }
    return text
  }
}

extension UInt8 {
  fileprivate var isBlank: Bool { self == UInt8(ascii: " ") || self == UInt8(ascii: "\t") }
}
