/// A JSON value, written as one line.
public enum JSON: CustomStringConvertible, Sendable {
  /// Members in the order in which they are written.
  case object([(String, JSON)])
  /// Elements.
  case array([JSON])
  /// A text.
  case string(String)
  /// A whole number.
  case integer(Int)
  /// Any number; `null` is written for one that is not finite.
  case number(Double)
  /// A truth value.
  case bool(Bool)
  /// Nothing.
  case null

  /// The line.
  public var description: String {
    switch self {
    case .object(let members):
      "{" + members.map { "\(Self.quoted($0)):\($1)" }.joined(separator: ",") + "}"
    case .array(let elements): "[" + elements.map(\.description).joined(separator: ",") + "]"
    case .string(let text): Self.quoted(text)
    case .integer(let integer): "\(integer)"
    // JSON has no word for what is not finite.
    case .number(let number): number.isFinite ? "\(number)" : "null"
    case .bool(let bool): "\(bool)"
    case .null: "null"
    }
  }

  private static func quoted(_ text: String) -> String {
    var quoted = "\""
    for scalar in text.unicodeScalars {
      switch scalar {
      case "\"", "\\": quoted += "\\\(scalar)"
      case _ where scalar.value < 0x20:
        let digits = String(scalar.value, radix: 16)
        quoted += "\\u" + String(repeating: "0", count: 4 - digits.count) + digits
      default: quoted.unicodeScalars.append(scalar)
      }
    }
    return quoted + "\""
  }
}
