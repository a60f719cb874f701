/// A pattern for names, with Redis's syntax: `*`, `?`, `[a-z]`, `[^a]`, and a backslash before a
/// literal character.
struct GlobPattern {
  private enum Part {
    case any
    case one
    case byte(UInt8)
    case set([ClosedRange<UInt8>], isNegated: Bool)
  }

  private let parts: [Part]

  init(_ pattern: Bytes) {
    var parts: [Part] = []
    var rest = pattern[...]
    while let byte = rest.popFirst() {
      switch byte {
      case UInt8(ascii: "*"):
        if case .any = parts.last { continue }
        parts.append(.any)
      case UInt8(ascii: "?"): parts.append(.one)
      case UInt8(ascii: "["): parts.append(Self.takeSet(&rest))
      case UInt8(ascii: "\\"): parts.append(.byte(rest.popFirst() ?? byte))
      default: parts.append(.byte(byte))
      }
    }
    self.parts = parts
  }

  /// Whether the whole name matches. Takes time in proportion to the length of the name times that
  /// of the pattern, at most.
  func matches(_ name: Bytes) -> Bool {
    var part = 0
    var index = 0
    // Where to continue when the part after the last star does not match: the star takes one more
    // byte.
    var star: (part: Int, index: Int)?
    while index < name.count {
      if part < parts.count {
        if case .any = parts[part] {
          star = (part, index)
          part += 1
          continue
        }
        if fits(parts[part], name[index]) {
          part += 1
          index += 1
          continue
        }
      }
      guard let last = star else { return false }
      star = (last.part, last.index + 1)
      part = last.part + 1
      index = last.index + 1
    }
    return parts[part...].allSatisfy { if case .any = $0 { true } else { false } }
  }

  private func fits(_ part: Part, _ byte: UInt8) -> Bool {
    switch part {
    case .any, .one: true
    case .byte(let wanted): wanted == byte
    case .set(let ranges, let isNegated): ranges.contains { $0.contains(byte) } != isNegated
    }
  }

  /// Takes the set up to the closing bracket; without one, everything that is left.
  private static func takeSet(_ rest: inout ArraySlice<UInt8>) -> Part {
    let isNegated = rest.first == UInt8(ascii: "^")
    if isNegated { rest.removeFirst() }
    var ranges: [ClosedRange<UInt8>] = []
    while let byte = rest.popFirst(), byte != UInt8(ascii: "]") {
      if byte == UInt8(ascii: "\\"), let literal = rest.popFirst() {
        ranges.append(literal...literal)
      } else if rest.first == UInt8(ascii: "-"), let end = rest.dropFirst().first {
        rest.removeFirst(2)
        ranges.append(min(byte, end)...max(byte, end))
      } else {
        ranges.append(byte...byte)
      }
    }
    return .set(ranges, isNegated: isNegated)
  }
}
