/// The limits for reading a head or a trailer.
struct HeadLimits: Sendable {
  /// The most bytes of a head, which counts the empty lines before it, the request line, the field
  /// lines and the final empty line; or of a trailer section, which counts the field lines and the
  /// final empty line.
  var headByteCount = 16 * 1024

  /// The most field lines.
  var fieldCount = 100
}

/// A request without its body.
struct RequestHead: Sendable {
  /// The method: any token of at most 32 bytes.
  let method: HTTPMethod
  let target: RequestTarget
  /// The minor version of HTTP/1: 0 or 1.
  let minorVersion: Int
  /// The field lines in order, including those that frame the message.
  let headerFields: HeaderFields
  let framing: BodyFraming
  /// Whether the client keeps the connection open (RFC 9112, 9.3). This depends on the version and
  /// on the `Connection` lines, in which "close" takes precedence.
  let keepsAlive: Bool
  /// Whether the client waits for a 100 (RFC 9110, 10.1.1). Always false with HTTP/1.0 or without
  /// content.
  let expectsContinue: Bool
  /// The size of the head in bytes, including the empty lines before it.
  let byteCount: Int
}

/// How the end of a request body is found (RFC 9112, 6.3).
enum BodyFraming: Sendable, Equatable {
  /// Neither `Content-Length` nor `Transfer-Encoding`: there is no body.
  case none
  /// A `Content-Length`, in bytes. A length of 0 states that the content is empty, which differs
  /// from ``none``, but nothing follows in either case.
  case length(Int64)
  /// `Transfer-Encoding: chunked`.
  case chunked

  /// Whether nothing follows the head.
  var isEmpty: Bool { self == .none || self == .length(0) }
}
