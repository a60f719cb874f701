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

  private var fields: [Field] = []

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
    get { fields.first { $0.name.equalsIgnoringCase(name) }?.value }
    set {
      fields.removeAll { $0.name.equalsIgnoringCase(name) }
      if let newValue { add(name, newValue) }
    }
  }

  /// The values of all lines with this name, in order.
  ///
  /// - Parameter name: Compared without regard to case.
  public func values(of name: String) -> [String] {
    fields.filter { $0.name.equalsIgnoringCase(name) }.map(\.value)
  }

  /// Adds a line behind the others.
  ///
  /// - Parameters:
  ///   - name: A token of RFC 9110: letters, digits, any of `!#$%&'*+-.^_|~` and the backtick.
  ///     Anything else traps.
  ///   - value: May come from a client: line ends and NUL become spaces, so that nobody can smuggle
  ///     a line into the header.
  public mutating func add(_ name: String, _ value: String) {
    precondition(name.isToken, "HTTPFields: a name is a token of RFC 9110")
    fields.append(Field(name: name, value: value.onOneLine))
  }

  /// Adds a line as a client sent it; ``haveValidNames`` tells whether its name is one.
  mutating func addUnchecked(_ name: String, _ value: String) {
    fields.append(Field(name: name, value: value))
  }

  var haveValidNames: Bool { fields.allSatisfy(\.name.isToken) }

  /// The index of the first line: 0.
  public var startIndex: Int { 0 }

  /// The number of lines.
  public var endIndex: Int { fields.count }

  /// The line at a position.
  ///
  /// - Parameter position: `0..<count`.
  public subscript(position: Int) -> Field { fields[position] }

  /// The header as in a message.
  public var description: String {
    fields.map { "\($0.name): \($0.value)" }.joined(separator: "\n")
  }
}

extension String {
  /// Whether the text is a token of RFC 9110, as names of header lines are.
  var isToken: Bool {
    !isEmpty
      && utf8.allSatisfy { byte in
        switch byte {
        case UInt8(ascii: "a")...UInt8(ascii: "z"), UInt8(ascii: "A")...UInt8(ascii: "Z"),
          UInt8(ascii: "0")...UInt8(ascii: "9"):
          true
        case UInt8(ascii: "-"): true
        default: "!#$%&'*+.^_`|~".utf8.contains(byte)
        }
      }
  }

  /// The text with line ends and NUL replaced by spaces.
  var onOneLine: String {
    guard utf8.contains(where: { $0 == 10 || $0 == 13 || $0 == 0 }) else { return self }
    return String(decoding: utf8.map { $0 == 10 || $0 == 13 || $0 == 0 ? 32 : $0 }, as: UTF8.self)
  }

  /// Compares without regard to the case of ASCII letters.
  func equalsIgnoringCase(_ other: String) -> Bool {
    utf8.count == other.utf8.count
      && zip(utf8, other.utf8).allSatisfy { $0.asciiLowercased == $1.asciiLowercased }
  }
}

extension UInt8 {
  fileprivate var asciiLowercased: UInt8 {
    (UInt8(ascii: "A")...UInt8(ascii: "Z")).contains(self) ? self + 32 : self
  }
}
