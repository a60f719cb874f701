/// The header of a request or an answer: names and values, in order.
///
/// ```swift
/// var headers: HTTPFields = ["Content-Type": "text/plain"]
/// headers["content-type"]  // "text/plain": names are compared without regard to case
/// ```
public struct HTTPFields: Sendable, Equatable, ExpressibleByDictionaryLiteral,
  RandomAccessCollection, CustomStringConvertible
{
  /// One line of a header.
  public struct Field: Sendable, Equatable {
    /// The name, as it was written.
    public let name: String

    /// The value: one line, without space around it when it came in a request.
    public let value: String
  }

  /// Where a line lies in `bytes`; it begins behind the line end of the one before.
  private struct Line: Sendable, Equatable {
    let nameEnd: Int
    /// Of the value, in front of the line end.
    let end: Int
  }

  /// All lines as they go over the wire, each with its line end. One piece of memory for all: a
  /// request of a browser has a dozen lines, most of which nobody asks for.
  private(set) var bytes: [UInt8] = []
  private var lines: [Line] = []

  /// A header without lines.
  public init() {}

  /// Makes a header from names and values.
  ///
  /// - Parameter elements: Lines in order; the rules of ``add(_:_:)`` hold for each.
  public init(dictionaryLiteral elements: (String, String)...) {
    for (name, value) in elements { add(name, value) }
  }

  /// The value of the first line with this name; setting it replaces every such line by one at the
  /// end, and setting nil removes them.
  ///
  /// - Parameter name: Compared without regard to case; set, it is a token as ``add(_:_:)`` wants.
  public subscript(name: String) -> String? {
    get {
      for index in lines.indices where hasName(name, at: index) { return text(of: index) }
      return nil
    }
    set {
      if contains(name) { removeLines(named: name) }
      if let newValue { add(name, newValue) }
    }
  }

  /// The values of all lines with this name, in order.
  ///
  /// - Parameter name: Compared without regard to case.
  public func values(of name: String) -> [String] {
    var values: [String] = []
    for index in lines.indices where hasName(name, at: index) { values.append(text(of: index)) }
    return values
  }

  /// Whether there is a line with this name.
  ///
  /// - Parameter name: Compared without regard to case.
  public func contains(_ name: String) -> Bool {
    for index in lines.indices where hasName(name, at: index) { return true }
    return false
  }

  /// Adds a line behind the others.
  ///
  /// - Parameters:
  ///   - name: A token of RFC 9110: letters, digits, any of `!#$%&'*+-.^_|~` and the backtick.
  ///     Anything else traps.
  ///   - value: May come from a client: line ends and NUL become spaces, so that nobody can smuggle
  ///     a line into the header.
  public mutating func add(_ name: String, _ value: String) {
    precondition(name.utf8.isToken, "HTTPFields: a name is a token of RFC 9110")
    append(name.utf8Span.span, value.utf8Span.span)
  }

  /// Adds a line as a client sent it; ``haveValidNames`` tells whether its name is one.
  mutating func addUnchecked(_ name: Span<UInt8>, _ value: Span<UInt8>) {
    append(name, value)
  }

  var haveValidNames: Bool {
    lines.indices.allSatisfy { name(of: $0).isToken }
  }

  /// The index of the first line: 0.
  public var startIndex: Int { 0 }

  /// The number of lines.
  public var endIndex: Int { lines.count }

  /// The line at a position.
  ///
  /// - Parameter position: `0..<count`.
  public subscript(position: Int) -> Field {
    Field(name: String(decoding: name(of: position), as: UTF8.self), value: text(of: position))
  }

  /// The header as in a message.
  public var description: String {
    map { "\($0.name): \($0.value)" }.joined(separator: "\n")
  }

  // MARK: - Bytes

  // What most answers need: more is made room for when it comes.
  private static let usualByteCount = 256
  private static let usualCount = 8

  private func name(of line: Int) -> ArraySlice<UInt8> {
    let start = line == 0 ? 0 : lines[line - 1].end + lineEnd.count
    return bytes[start..<lines[line].nameEnd]
  }

  private func value(of line: Int) -> ArraySlice<UInt8> {
    bytes[lines[line].nameEnd + separator.count..<lines[line].end]
  }

  private func text(of line: Int) -> String { String(decoding: value(of: line), as: UTF8.self) }

  private func hasName(_ name: String, at line: Int) -> Bool {
    // Most names differ in length.
    let own = self.name(of: line)
    return own.count == name.utf8.count && own.equalsIgnoringCase(name.utf8)
  }

  private mutating func append(_ name: Span<UInt8>, _ value: Span<UInt8>) {
    if bytes.isEmpty {
      bytes.reserveCapacity(Self.usualByteCount)
      lines.reserveCapacity(Self.usualCount)
    }
    let nameEnd = bytes.count + name.count
    let end = nameEnd + separator.count + value.count
    lines.append(Line(nameEnd: nameEnd, end: end))
    bytes.append(addingCapacity: end + lineEnd.count - bytes.count) { line in
      line.append(name)
      line.append(separator.span)
      line.append(value)
      line.append(lineEnd.span)
    }
    // Seldom, and so behind it.
    for index in value.indices where value[index].endsLine {
      bytes[end - value.count + index] = .space
    }
  }

  private mutating func removeLines(named name: String) {
    let old = self
    self = HTTPFields()
    for line in old.indices where !old.hasName(name, at: line) {
      append(old.name(of: line).span, old.value(of: line).span)
    }
  }
}

private let separator = Array(": ".utf8)
private let lineEnd = Array("\r\n".utf8)

extension Collection<UInt8> {
  /// Whether the text is a token of RFC 9110, as names of header lines are.
  var isToken: Bool { !isEmpty && allSatisfy(\.isInTokens) }

  /// Compares without regard to the case of ASCII letters.
  func equalsIgnoringCase(_ other: some Collection<UInt8>) -> Bool {
    elementsEqual(other) { $0.asciiLowercased == $1.asciiLowercased }
  }
}

extension String {
  /// The text with line ends and NUL replaced by spaces.
  var onOneLine: String {
    guard utf8.contains(where: \.endsLine) else { return self }
    return String(decoding: utf8.map { $0.endsLine ? .space : $0 }, as: UTF8.self)
  }

  /// Compares without regard to the case of ASCII letters.
  func equalsIgnoringCase(_ other: String) -> Bool { utf8.equalsIgnoringCase(other.utf8) }
}

extension UInt8 {
  fileprivate static let space = UInt8(ascii: " ")

  /// Whether a header line can't go on behind it: line ends, and the end of a C string.
  fileprivate var endsLine: Bool { self == 10 || self == 13 || self == 0 }

  fileprivate var isInTokens: Bool {
    switch self {
    case UInt8(ascii: "a")...UInt8(ascii: "z"), UInt8(ascii: "A")...UInt8(ascii: "Z"),
      UInt8(ascii: "0")...UInt8(ascii: "9"), UInt8(ascii: "-"):
      true
    default: "!#$%&'*+.^_`|~".utf8.contains(self)
    }
  }

  fileprivate var asciiLowercased: UInt8 {
    (UInt8(ascii: "A")...UInt8(ascii: "Z")).contains(self) ? self + 32 : self
  }
}
