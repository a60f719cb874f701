/// Reads `*( field-line CRLF ) CRLF`: the field lines of a head or a trailer (RFC 9112, 5).
struct FieldSection: Sendable {
  private enum Part { case lineStart, name, value, lineFeed, lastLineFeed, complete }

  private let fieldCountLimit: Int
  private var part = Part.lineStart
  /// The start of the first line.
  private(set) var start = 0
  /// The bytes before this index have been read.
  private(set) var position = 0
  /// The complete lines; their offsets count from `start`.
  private(set) var lines: [HeaderFields.Line] = []
  private var nameStart = 0
  private var nameEnd = 0
  /// The start of the empty line of a complete section.
  private(set) var end = 0

  /// Most heads from browsers have no more lines.
  private static let usualCount = 16

  init(fieldCountLimit: Int) {
    self.fieldCountLimit = fieldCountLimit
  }

  /// Sets the start of the section. Call it before the first parse, unless the section begins at 0.
  mutating func begin(at start: Int) {
    self.start = start
    position = start
  }

  /// Continues where the last call stopped.
  ///
  /// - Returns: Whether the section is complete; if not, all of `bytes` has been read.
  mutating func parse(_ bytes: Span<UInt8>) throws(RequestError) -> Bool {
    while position < bytes.count {
      switch part {
      case .lineStart: try beginLine(bytes[position])
      case .name: try scanName(bytes)
      case .value: try scanValue(bytes)
      case .lineFeed: try endLine(bytes)
      case .lastLineFeed:
        guard bytes[position] == .lineFeed else { throw .bareCarriageReturn }
        position += 1
        part = .complete
        return true
      case .complete: return true
      }
    }
    return part == .complete
  }

  private mutating func beginLine(_ byte: UInt8) throws(RequestError) {
    if byte == .carriageReturn {
      end = position
      position += 1
      part = .lastLineFeed
      return
    }
    guard !byte.isBlank else {
      throw .bad("A field line begins with a space or a tab.")
    }
    guard lines.count < fieldCountLimit else {
      throw RequestError(.requestHeaderFieldsTooLarge, "There are too many field lines.")
    }
    nameStart = position
    part = .name
  }

  private mutating func scanName(_ bytes: Span<UInt8>) throws(RequestError) {
    let end = bytes.firstIndex(from: position) { !$0.isInTokens }
    position = end ?? bytes.count
    guard let end else { return }
    guard bytes[end] == .colon, end > nameStart else {
      throw .bad("A field line does not begin with a name and a colon.")
    }
    nameEnd = end
    position = end + 1
    part = .value
  }

  private mutating func scanValue(_ bytes: Span<UInt8>) throws(RequestError) {
    let end = bytes.firstIndex(from: position, below: 0x20) { !$0.isInFieldValues }
    position = end ?? bytes.count
    guard let end else { return }
    guard bytes[end] == .carriageReturn else {
      throw .bad("A field value contains a control character.")
    }
    position = end + 1
    part = .lineFeed
  }

  private mutating func endLine(_ bytes: Span<UInt8>) throws(RequestError) {
    guard bytes[position] == .lineFeed else { throw .bareCarriageReturn }
    if lines.isEmpty { lines.reserveCapacity(min(Self.usualCount, fieldCountLimit)) }
    let value = bytes.trimmingBlanks(nameEnd + 1..<position - 1)
    lines.append(
      HeaderFields.Line(
        nameStart: nameStart - start, nameEnd: nameEnd - start,
        valueStart: value.lowerBound - start, valueEnd: value.upperBound - start))
    position += 1
    part = .lineStart
  }

  /// Returns the fields of a complete section and empties it.
  mutating func takeFields(_ bytes: Span<UInt8>) -> HeaderFields {
    let lines = lines
    self.lines = []
    return HeaderFields(parsed: bytes.extracting(start..<end), lines)
  }
}
