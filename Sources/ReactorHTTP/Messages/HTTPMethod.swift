/// The method of a request: any token of RFC 9110.
public struct HTTPMethod: Hashable, Sendable, CustomStringConvertible {
  /// The method's name, such as "GET".
  public let name: String

  /// Creates a method. Methods are case-sensitive.
  ///
  /// - Parameter name: The name, as the client sends it.
  public init(_ name: String) {
    self.name = name
  }

  /// Creates the method that a request names.
  ///
  /// - Parameter name: A token.
  init(_ name: Span<UInt8>) {
    // A string of up to 15 bytes does not allocate.
    self.init(name.text(0..<name.count))
  }

  /// The method's name.
  public var description: String { name }

  /// `GET`: send the representation.
  public static let get = HTTPMethod("GET")
  /// `HEAD`: send the header of the `GET` response, without a body.
  public static let head = HTTPMethod("HEAD")
  /// `POST`: process the body.
  public static let post = HTTPMethod("POST")
  /// `PUT`: store the body as the target.
  public static let put = HTTPMethod("PUT")
  /// `DELETE`: remove the target.
  public static let delete = HTTPMethod("DELETE")
  /// `OPTIONS`: describe the communication options.
  public static let options = HTTPMethod("OPTIONS")
  /// `TRACE`: echo the request.
  public static let trace = HTTPMethod("TRACE")
  /// `CONNECT`: open a tunnel. The connection closes after the response.
  public static let connect = HTTPMethod("CONNECT")
  /// `PATCH`: modify the target.
  public static let patch = HTTPMethod("PATCH")
}
