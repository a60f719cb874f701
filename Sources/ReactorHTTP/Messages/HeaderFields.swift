internal import PosixAIO

/// The header of a request or an answer: names and values, in order.
///
/// ```swift
/// var headers: HeaderFields = ["Content-Type": "text/plain"]
/// headers["content-type"]  // "text/plain": names are compared without regard to case
/// ```
public struct HeaderFields: Sendable, Equatable, ExpressibleByDictionaryLiteral,
  RandomAccessCollection, CustomStringConvertible
{
  /// One line of a header.
  public struct Field: Sendable, Equatable {
    /// The name, as it was written.
    public let name: String

    /// The value: one line, without space around it when it came in a request.
    public let value: String
  }

  /// Where a line lies in ``bytes``.
  struct Line: Sendable {
    private let nameStart: UInt32
    private let nameEnd: UInt32
    private let valueStart: UInt32
    private let valueEnd: UInt32

    /// Places are counted from the start of the bytes, at most 4 GiB of them.
    init(nameStart: Int, nameEnd: Int, valueStart: Int, valueEnd: Int) {
      self.nameStart = UInt32(nameStart)
      self.nameEnd = UInt32(nameEnd)
      self.valueStart = UInt32(valueStart)
      self.valueEnd = UInt32(valueEnd)
    }

    var name: Range<Int> { Int(nameStart)..<Int(nameEnd) }
    var value: Range<Int> { Int(valueStart)..<Int(valueEnd) }
  }

  /// All lines as they go over the wire, each with its line end. One piece of memory for all: a
  /// request of a browser has a dozen lines, most of which nobody asks for.
  private(set) var bytes: [UInt8] = []
  private var lines: [Line] = []
  /// A bit for each length of a name, so that a name that is not there is rarely looked for.
  private var nameLengths: UInt64 = 0

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
    get { firstLine(named: name).map { text(of: $0) } }
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
    var line = firstLine(named: name)
    while let found = line {
      values.append(text(of: found))
      line = firstLine(named: name, from: found + 1)
    }
    return values
  }

  /// Whether there is a line with this name.
  ///
  /// - Parameter name: Compared without regard to case.
  public func contains(_ name: String) -> Bool {
    firstLine(named: name) != nil
  }

  /// Adds a line behind the others.
  ///
  /// - Parameters:
  ///   - name: A token of RFC 9110: letters, digits, any of `!#$%&'*+-.^_|~` and the backtick.
  ///     Anything else traps.
  ///   - value: May come from a client: line ends and NUL become spaces, so that nobody can smuggle
  ///     a line into the header.
  public mutating func add(_ name: String, _ value: String) {
    require(name.utf8Span.span.isToken, "HeaderFields: a name is a token of RFC 9110")
    append(name.utf8Span.span, value.utf8Span.span)
  }

  /// Copies lines that were read from a client.
  ///
  /// - Parameters:
  ///   - section: All lines with their line ends, right by RFC 9112.
  ///   - lines: Where they lie in it.
  init(parsed section: Span<UInt8>, _ lines: [Line]) {
    bytes = [UInt8](copying: section)
    self.lines = lines
    for line in lines { nameLengths |= Self.bit(ofNameLength: line.name.count) }
  }

  /// All names from some length on share the last bit.
  private static func bit(ofNameLength length: Int) -> UInt64 { 1 << UInt64(Swift.min(length, 63)) }

  /// Fields that a response's head has to do with.
  struct Notable: OptionSet {
    let rawValue: UInt8

    static let date = Notable(rawValue: 1)
    static let connection = Notable(rawValue: 2)
    static let contentLength = Notable(rawValue: 4)
    static let transferEncoding = Notable(rawValue: 8)
  }

  /// Which of them there are. By one look at the lines, of which most are told apart by the length
  /// of their names.
  var notable: Notable {
    var found: Notable = []
    let bytes = bytes.span
    for line in lines {
      let name = bytes.extracting(line.name)
      switch name.count {
      case 4 where name.equalsIgnoringCase("Date".utf8Span.span): found.insert(.date)
      case 10 where name.equalsIgnoringCase("Connection".utf8Span.span):
        found.insert(.connection)
      case 14 where name.equalsIgnoringCase("Content-Length".utf8Span.span):
        found.insert(.contentLength)
      case 17 where name.equalsIgnoringCase("Transfer-Encoding".utf8Span.span):
        found.insert(.transferEncoding)
      default: break
      }
    }
    return found
  }

  /// Whether a `Connection` field, which is a list, has "close".
  var connectionIsToClose: Bool {
    var isToClose = false
    let bytes = bytes.span
    for line in lines
    where bytes.extracting(line.name).equalsIgnoringCase(Keyword.connection) {
      let value = bytes.extracting(line.value)
      value.forEachElement { element in
        if value.extracting(element).equalsIgnoringCase(Keyword.close) { isToClose = true }
      }
    }
    return isToClose
  }

  /// The same without a "keep-alive" in a `Connection` field.
  var toClose: HeaderFields {
    let options = values(of: "Connection").flatMap { $0.split(separator: ",") }
      .map { $0.drop { $0.isWhitespace } }
    var fields = self
    fields["Connection"] = nil
    for option in options where !String(option).equalsIgnoringCase(Keyword.keepAlive) {
      fields.add("Connection", String(option))
    }
    return fields
  }

  /// The index of the first line: 0.
  public var startIndex: Int { 0 }

  /// The number of lines.
  public var endIndex: Int { lines.count }

  /// The line at a position.
  ///
  /// - Parameter position: `0..<count`.
  public subscript(position: Int) -> Field {
    Field(
      name: String(decoding: bytes[lines[position].name], as: UTF8.self), value: text(of: position))
  }

  /// The header as in a message.
  public var description: String {
    map { "\($0.name): \($0.value)" }.joined(separator: "\n")
  }

  /// Whether both have the same names, as they are written, and values in the same order.
  ///
  /// - Parameters:
  ///   - left: The one.
  ///   - right: The other.
  public static func == (left: HeaderFields, right: HeaderFields) -> Bool {
    left.elementsEqual(right)
  }

  // MARK: - Bytes

  // What most answers need: more is made room for when it comes.
  private static let usualByteCount = 256
  private static let usualCount = 8

  private func text(of line: Int) -> String {
    String(decoding: bytes[lines[line].value], as: UTF8.self)
  }

  private func firstLine(named name: String, from first: Int = 0) -> Int? {
    guard nameLengths & Self.bit(ofNameLength: name.utf8.count) != 0 else { return nil }
    let name = name.utf8Span.span
    let bytes = bytes.span
    for line in first..<lines.count
    where bytes.extracting(lines[line].name).equalsIgnoringCase(name) {
      return line
    }
    return nil
  }

  private mutating func append(_ name: Span<UInt8>, _ value: Span<UInt8>) {
    if bytes.isEmpty {
      bytes.reserveCapacity(Self.usualByteCount)
      lines.reserveCapacity(Self.usualCount)
    }
    nameLengths |= Self.bit(ofNameLength: name.count)
    let nameStart = bytes.count
    bytes.append(name)
    let nameEnd = bytes.count
    bytes += separator
    let start = bytes.count
    bytes.append(value)
    for index in value.indices where value[index].endsLine { bytes[start + index] = .space }
    lines.append(
      Line(nameStart: nameStart, nameEnd: nameEnd, valueStart: start, valueEnd: bytes.count))
    bytes += lineEnd
  }

  private mutating func removeLines(named name: String) {
    let old = self
    self = HeaderFields()
    for line in old.lines.indices {
      let bytes = old.bytes.span
      let itsName = bytes.extracting(old.lines[line].name)
      guard !itsName.equalsIgnoringCase(name.utf8Span.span) else { continue }
      append(itsName, bytes.extracting(old.lines[line].value))
    }
  }
}

private let separator = Array(": ".utf8)
private let lineEnd = Array("\r\n".utf8)

extension [UInt8] {
  /// Adds bytes as a whole: a text's own collection of them is gone through one by one.
  mutating func append(_ bytes: Span<UInt8>) {
    unsafe bytes.withUnsafeBufferPointer { unsafe append(contentsOf: $0) }
  }
}

extension String {
  /// The text with line ends and NUL replaced by spaces.
  var onOneLine: String {
    guard utf8.contains(where: \.endsLine) else { return self }
    return String(decoding: utf8.map { $0.endsLine ? .space : $0 }, as: UTF8.self)
  }

  /// Compares without regard to the case of ASCII letters.
  func equalsIgnoringCase(_ other: String) -> Bool {
    utf8Span.span.equalsIgnoringCase(other.utf8Span.span)
  }
}

extension UInt8 {
  /// Whether a header line can't go on behind it: line ends, and the end of a C string.
  fileprivate var endsLine: Bool { self == 10 || self == 13 || self == 0 }
}
