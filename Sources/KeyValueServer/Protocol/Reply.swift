/// A buffer of replies, one after another, in RESP2 or RESP3.
struct Reply {
  var isRESP3 = false
  fileprivate(set) var bytes: Bytes = []

  private static let lineEnd: Bytes = [0x0D, 0x0A]

  var isEmpty: Bool { bytes.isEmpty }
  var byteCount: Int { bytes.count }

  mutating func removeAll() {
    bytes.removeAll(keepingCapacity: true)
  }

  /// Removes what was appended since the reply had `count` bytes.
  mutating func truncate(to count: Int) {
    bytes.removeSubrange(count...)
  }

  /// Appends a simple string, such as OK.
  mutating func status(_ text: StaticString) {
    bytes.append(UInt8(ascii: "+"))
    appendStatic(text)
    bytes += Self.lineEnd
  }

  mutating func ok() { appendStatic("+OK\r\n") }

  /// - Parameter text: Starts with a code, such as ERR. Line ends in it become spaces.
  mutating func error(_ text: String) {
    bytes.append(UInt8(ascii: "-"))
    for byte in text.utf8 { bytes.append(Self.lineEnd.contains(byte) ? 0x20 : byte) }
    bytes += Self.lineEnd
  }

  mutating func integer(_ number: some BinaryInteger) {
    header(":", Int64(number))
  }

  mutating func bulk(_ value: some Collection<UInt8>) {
    header("$", Int64(value.count))
    bytes.append(contentsOf: value)
    appendStatic("\r\n")
  }

  /// Appends a bulk string, or a null reply if `value` is nil.
  mutating func bulk(ifAny value: Bytes?) {
    guard let value else { return null() }
    bulk(value)
  }

  mutating func null() {
    if isRESP3 { appendStatic("_\r\n") } else { appendStatic("$-1\r\n") }
  }

  /// Appends a null where an array would be.
  mutating func nullArray() {
    if isRESP3 { null() } else { appendStatic("*-1\r\n") }
  }

  /// Appends a text for people.
  mutating func verbatim(_ text: String) {
    guard isRESP3 else { return bulk(text.utf8) }
    header("=", Int64(text.utf8.count + 4))
    appendStatic("txt:")
    bytes.append(contentsOf: text.utf8)
    appendStatic("\r\n")
  }

  /// Starts an array. The caller appends its `count` elements next.
  mutating func array(count: Int) {
    header("*", Int64(count))
  }

  /// Starts a map. The caller appends its `count` keys and values in turns; in RESP2 these are the
  /// elements of an array.
  mutating func map(count: Int) {
    if isRESP3 { header("%", Int64(count)) } else { array(count: 2 * count) }
  }

  /// Starts a set; in RESP2, an array.
  mutating func set(count: Int) {
    if isRESP3 { header("~", Int64(count)) } else { array(count: count) }
  }

  private mutating func header(_ mark: Unicode.Scalar, _ number: Int64) {
    bytes.append(UInt8(ascii: mark))
    appendDecimal(number)
    appendStatic("\r\n")
  }

  private mutating func appendDecimal(_ number: Int64) {
    if number < 0 { bytes.append(UInt8(ascii: "-")) }
    let start = bytes.count
    var rest = number.magnitude
    repeat {
      bytes.append(UInt8(ascii: "0") + UInt8(rest % 10))
      rest /= 10
    } while rest > 0
    bytes[start...].reverse()
  }

  private mutating func appendStatic(_ text: StaticString) {
    text.withUTF8Buffer { unsafe bytes.append(contentsOf: $0) }
  }
}

extension Reply {
  mutating func append(_ other: Reply) {
    bytes += other.bytes
  }
}
