internal import PosixAIO
import Reactor

/// A tag that identifies one version of a resource (RFC 9110, section 8.8.3).
struct EntityTag: Equatable, CustomStringConvertible {
  /// The tag with its quotes.
  private let quoted: String
  private let isWeak: Bool

  /// - Parameter opaque: The text between the quotes.
  init(_ opaque: String, isWeak: Bool = false) {
    quoted = "\"\(opaque)\""
    self.isWeak = isWeak
  }

  /// Creates a tag that changes when the content of a file may have changed. It consists of the
  /// inode, the size and the modification time, in hexadecimal.
  ///
  /// - Parameter suffix: A suffix that distinguishes the forms of one resource.
  init(_ status: FileStatus, suffix: String = "") {
    // The tag is built as bytes for speed: each response with a file has one.
    var text: [UInt8] = []
    text.reserveCapacity(Self.usualByteCount)
    text.append(UInt8(ascii: "\""))
    text.append(hexadecimal: status.inode)
    text.append(UInt8(ascii: "-"))
    text.append(hexadecimal: UInt64(bitPattern: status.byteCount))
    text.append(UInt8(ascii: "-"))
    text.append(hexadecimal: UInt64(bitPattern: status.modified.seconds))
    text.append(UInt8(ascii: "-"))
    text.append(hexadecimal: UInt64(bitPattern: status.modified.nanoseconds))
    text += suffix.utf8
    text.append(UInt8(ascii: "\""))
    quoted = String(decoding: text, as: UTF8.self)
    isWeak = false
  }

  private static let usualByteCount = 48

  /// The tag as in a header.
  var description: String { isWeak ? "W/" + quoted : quoted }

  /// Whether both are strong and equal.
  func matchesStrongly(_ other: EntityTag) -> Bool {
    !isWeak && !other.isWeak && quoted == other.quoted
  }

  /// Whether both are equal, apart from their strength.
  func matchesWeakly(_ other: EntityTag) -> Bool {
    quoted == other.quoted
  }
}

extension [UInt8] {
  fileprivate mutating func append(hexadecimal number: UInt64) {
    let digitCount = Swift.max(1, (UInt64.bitWidth - number.leadingZeroBitCount + 3) / 4)
    for place in (0..<digitCount).reversed() {
      let digit = UInt8(truncatingIfNeeded: number >> UInt64(4 * place) & 15)
      append(digit < 10 ? UInt8(ascii: "0") + digit : UInt8(ascii: "a") + digit - 10)
    }
  }
}

/// The tags in `If-Match` or `If-None-Match`.
enum EntityTags: Equatable {
  /// `*`: any existing version.
  case any
  case list([EntityTag])

  /// Parses a list up to the first syntax error; the text after it matches nothing.
  init(_ header: String) {
    if header.utf8[...].trimmed.elementsEqual("*".utf8) {
      self = .any
      return
    }
    var tags: [EntityTag] = []
    var rest = header.utf8[...]
    while let tag = Self.popTag(&rest) { tags.append(tag) }
    self = .list(tags)
  }

  func contains(where matches: (EntityTag) -> Bool) -> Bool {
    switch self {
    case .any: true
    case .list(let tags): tags.contains(where: matches)
    }
  }

  private static func popTag(_ rest: inout Substring.UTF8View) -> EntityTag? {
    let separators = " \t,".utf8
    while let first = rest.first, separators.contains(first) { rest.removeFirst() }
    let isWeak = rest.starts(with: "W/".utf8)
    if isWeak { rest.removeFirst(2) }
    guard rest.popFirst() == UInt8(ascii: "\""),
      let end = rest.firstIndex(of: UInt8(ascii: "\""))
    else { return nil }
    let opaque = String(Substring(rest[..<end]))
    rest = rest[rest.index(after: end)...]
    return EntityTag(opaque, isWeak: isWeak)
  }
}
