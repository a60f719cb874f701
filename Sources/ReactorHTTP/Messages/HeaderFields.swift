internal import PosixAIO

/// The header of a request or a response: names and values, in order.
///
/// ```swift
/// var headers: HeaderFields = ["Content-Type": "text/plain"]
/// headers["content-type"]  // "text/plain": names are compared without regard to case
/// ```
public struct HeaderFields: Sendable, Equatable, ExpressibleByDictionaryLiteral,
  RandomAccessCollection, CustomStringConvertible
{
  /// One field line of a header.
  public struct Field: Sendable, Equatable {
    /// The name, in its original case.
    public let name: String

    /// The value: one line. In a request, surrounding whitespace is removed.
    public let value: String
  }

  /// The position of a line in ``bytes``.
  struct Line: Sendable {
    private let nameStart: UInt32
    private let nameEnd: UInt32
    private let valueStart: UInt32
    private let valueEnd: UInt32

    /// Offsets are counted from the start of the bytes, of which there are at most 4 GiB.
    init(nameStart: Int, nameEnd: Int, valueStart: Int, valueEnd: Int) {
      self.nameStart = UInt32(nameStart)
      self.nameEnd = UInt32(nameEnd)
      self.valueStart = UInt32(valueStart)
      self.valueEnd = UInt32(valueEnd)
    }

    var name: Range<Int> { Int(nameStart)..<Int(nameEnd) }
    var value: Range<Int> { Int(valueStart)..<Int(valueEnd) }
  }

  /// All lines as they are sent, each with its line end. They share one allocation, because a
  /// request of a browser has a dozen lines and most are never read.
  private(set) var bytes: [UInt8] = []
  private var lines: [Line] = []
  /// One bit for each length of a name, so most lookups of absent names end without a search.
  private var nameLengths: UInt64 = 0

  /// Creates an empty header.
  public init() {}

  /// Creates a header from names and values.
  ///
  /// - Parameter elements: The lines in order; the rules of ``add(_:_:)`` apply to each.
  public init(dictionaryLiteral elements: (String, String)...) {
    for (name, value) in elements { add(name, value) }
  }

  /// The value of the first line with this name. Setting a value replaces all lines with this name
  /// by one at the end; setting nil removes them.
  ///
  /// - Parameter name: The name, compared case-insensitively. For setting, it must be a token, as
  ///   in ``add(_:_:)``.
  public subscript(name: String) -> String? {
    get { firstLine(named: name).map { text(of: $0) } }
    set {
      if contains(name) { removeLines(named: name) }
      if let newValue { add(name, newValue) }
    }
  }

  /// The values of all lines with this name, in order.
  ///
  /// - Parameter name: The name, compared case-insensitively.
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
  /// - Parameter name: The name, compared case-insensitively.
  public func contains(_ name: String) -> Bool {
    firstLine(named: name) != nil
  }

  /// Adds a line at the end.
  ///
  /// - Parameters:
  ///   - name: A token of RFC 9110: letters, digits, any of `!#$%&'*+-.^_|~` and the backtick.
  ///     Anything else traps.
  ///   - value: The value, which may come from a client: line ends and NUL are replaced by spaces,
  ///     so it cannot inject another line.
  public mutating func add(_ name: String, _ value: String) {
    require(name.utf8Span.span.isToken, "HeaderFields: a name must be a token of RFC 9110")
    append(name.utf8Span.span, value.utf8Span.span)
  }

  /// Copies lines that were read from a client.
  ///
  /// - Parameters:
  ///   - section: All lines with their line ends, valid by RFC 9112.
  ///   - lines: The positions of the lines in `section`.
  init(parsed section: Span<UInt8>, _ lines: [Line]) {
    bytes = [UInt8](copying: section)
    self.lines = lines
    for line in lines { nameLengths |= Self.bit(ofNameLength: line.name.count) }
  }

  /// All names of 63 or more bytes share the last bit.
  private static func bit(ofNameLength length: Int) -> UInt64 { 1 << UInt64(Swift.min(length, 63)) }

  /// Fields that affect the head of a response.
  struct Notable: OptionSet {
    let rawValue: UInt8

    static let date = Notable(rawValue: 1)
    static let connection = Notable(rawValue: 2)
    static let contentLength = Notable(rawValue: 4)
    static let transferEncoding = Notable(rawValue: 8)
  }

  /// The fields of ``Notable`` that are present. One pass over the lines finds them; the length of
  /// the name excludes most lines.
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

  /// Whether a `Connection` field, which is a list, contains "close".
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

  /// A copy without "keep-alive" in its `Connection` fields.
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

  /// The header as text, one field per line.
  public var description: String {
    map { "\($0.name): \($0.value)" }.joined(separator: "\n")
  }

  /// Whether both have the same names, in the same case, and the same values, in the same order.
  ///
  /// - Parameters:
  ///   - left: The first header.
  ///   - right: The second header.
  public static func == (left: HeaderFields, right: HeaderFields) -> Bool {
    left.elementsEqual(right)
  }

  // MARK: - Bytes

  // The capacity that most responses need; larger ones grow.
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
  /// Appends all bytes at once; appending a string's UTF-8 view goes byte by byte.
  mutating func append(_ bytes: Span<UInt8>) {
    unsafe bytes.withUnsafeBufferPointer { unsafe append(contentsOf: $0) }
  }
}

extension String {
  /// The text, with spaces in place of line ends and NUL.
  var onOneLine: String {
    guard utf8.contains(where: \.endsLine) else { return self }
    return String(decoding: utf8.map { $0.endsLine ? .space : $0 }, as: UTF8.self)
  }

  /// Compares, ignoring the case of ASCII letters.
  func equalsIgnoringCase(_ other: String) -> Bool {
    utf8Span.span.equalsIgnoringCase(other.utf8Span.span)
  }
}

extension UInt8 {
  /// Whether this byte ends a header line: a line end, or the end of a C string.
  fileprivate var endsLine: Bool { self == 10 || self == 13 || self == 0 }
}
