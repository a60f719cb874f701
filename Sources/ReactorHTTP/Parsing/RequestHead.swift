/// What may be read of a request before its body.
struct HeadLimits: Sendable {
  /// The most bytes of a head: empty lines before it, request line, field lines and the empty line
  /// after them. Of a trailer section: field lines and the empty line.
  var headByteCount = 16 * 1024

  /// The most field lines.
  var fieldCount = 100
}

/// A request without its body.
struct RequestHead: Sendable {
  /// Any token of at most 32 bytes.
  let method: HTTPMethod
  let target: RequestTarget
  /// The minor version of HTTP/1: 0 or 1.
  let minorVersion: Int
  /// The field lines, in order. What frames the message is among them.
  let headerFields: HeaderFields
  let framing: BodyFraming
  /// Whether the client wants another request on the connection (RFC 9112, 9.3): by the version
  /// and the `Connection` lines, of which "close" wins.
  let keepsAlive: Bool
  /// Whether the client waits for a 100 (RFC 9110, 10.1.1): never with HTTP/1.0, nor without
  /// content.
  let expectsContinue: Bool
  /// The bytes that the head took, empty lines before it included.
  let byteCount: Int
}

/// How the end of a request's body is known (RFC 9112, 6.3).
enum BodyFraming: Sendable, Equatable {
  /// Neither Content-Length nor Transfer-Encoding: there is no body.
  case none
  /// A `Content-Length` of so many bytes. Of 0, it says that the content is empty, which is not
  /// the same as ``none``, but nothing follows either.
  case length(Int64)
  /// `Transfer-Encoding: chunked`.
  case chunked

  /// Whether nothing follows the head.
  var isEmpty: Bool { self == .none || self == .length(0) }
}
