/// The method of a request: any token of RFC 9110.
public struct HTTPMethod: Hashable, Sendable, CustomStringConvertible {
  /// The method's name, such as "GET".
  public let name: String

  /// Names a method. Methods are case-sensitive.
  ///
  /// - Parameter name: As the client sends it.
  public init(_ name: String) {
    self.name = name
  }

  /// The method that a request names.
  ///
  /// - Parameter name: A token.
  init(_ name: Span<UInt8>) {
    // Up to 15 bytes a string has no memory of its own.
    self.init(name.text(0..<name.count))
  }

  /// The method's name.
  public var description: String { name }

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
  /// `CONNECT`: open a tunnel. Its connection is closed after the response.
  public static let connect = HTTPMethod("CONNECT")
  /// `PATCH`: change the target.
  public static let patch = HTTPMethod("PATCH")
}
