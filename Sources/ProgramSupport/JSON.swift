/// A JSON value, written as one line.
public enum JSON: CustomStringConvertible, Sendable {
  /// An object's members, written in this order.
  case object([(String, JSON)])
  /// An array's elements.
  case array([JSON])
  /// A string.
  case string(String)
  /// An integer.
  case integer(Int)
  /// A number; written as `null` if it is not finite.
  case number(Double)
  /// A Boolean.
  case bool(Bool)
  /// The null value.
  case null

  /// The value as one line of JSON.
  public var description: String {
    switch self {
    case .object(let members):
      "{" + members.map { "\(Self.quoted($0)):\($1)" }.joined(separator: ",") + "}"
    case .array(let elements): "[" + elements.map(\.description).joined(separator: ",") + "]"
    case .string(let text): Self.quoted(text)
    case .integer(let integer): "\(integer)"
    // JSON cannot represent numbers that are not finite.
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
