/// The method of a request.
///
/// evhttp knows nine methods and forgets the text of any other, which arrives as ``unknown``.
public struct HTTPMethod: Hashable, Sendable, CustomStringConvertible {
  /// The method's name, in capitals; empty for ``unknown``.
  public let name: String

  /// Names a method. Methods are case-sensitive.
  ///
  /// - Parameter name: As the client sends it.
  public init(_ name: String) {
    self.name = name
  }

  /// The method's name, or "(unknown)".
  public var description: String { self == .unknown ? "(unknown)" : name }

  /// `GET`: send the representation.
  public static let get = HTTPMethod("GET")
  /// `HEAD`: send what a `GET` would, without its body.
  public static let head = HTTPMethod("HEAD")
  /// `POST`: process the body.
  public static let post = HTTPMethod("POST")
  /// `PUT`: store the body under the target.
  public static let put = HTTPMethod("PUT")
  /// `DELETE`: remove the target.
  public static let delete = HTTPMethod("DELETE")
  /// `OPTIONS`: say what is possible.
  public static let options = HTTPMethod("OPTIONS")
  /// `TRACE`: send the request back.
  public static let trace = HTTPMethod("TRACE")
  /// `CONNECT`: open a tunnel. Its connection is closed after the answer.
  public static let connect = HTTPMethod("CONNECT")
  /// `PATCH`: change the target.
  public static let patch = HTTPMethod("PATCH")
  /// A method that evhttp does not know. Answer 405, or 501.
  public static let unknown = HTTPMethod("")

  /// Whether evhttp reads the body of such a request. What a client sends behind one of the others
  /// can't be told from a next request.
  var hasReadableBody: Bool { self != .head && self != .trace && self != .unknown }
}
