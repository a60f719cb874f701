internal import PosixAIO

/// The status of a response: its code and reason phrase.
public struct HTTPStatus: Hashable, Sendable, CustomStringConvertible {
  /// The status code, `100...999`.
  public let code: Int

  /// The reason phrase, for human readers. Clients ignore it.
  public let reason: String

  /// Creates a status.
  ///
  /// - Parameters:
  ///   - code: The code, `100...999`; any other value traps.
  ///   - reason: One line of text; line ends and NUL are replaced by spaces.
  public init(_ code: Int, _ reason: String = "") {
    require((100...999).contains(code), "HTTPStatus: a code is 100...999")
    self.code = code
    self.reason = reason.onOneLine
  }

  /// The code and reason, as in the status line: "404 Not Found".
  public var description: String { reason.isEmpty ? "\(code)" : "\(code) \(reason)" }

  /// Whether a response with this status may have a body (RFC 9110, 6.4.1).
  var allowsBody: Bool { code >= 200 && code != 204 && code != 304 }
}

extension HTTPStatus {
  /// 100: send the body.
  public static let `continue` = HTTPStatus(100, "Continue")
  /// 200.
  public static let ok = HTTPStatus(200, "OK")
  /// 201, with a `Location` if the new resource has a different target.
  public static let created = HTTPStatus(201, "Created")
  /// 202.
  public static let accepted = HTTPStatus(202, "Accepted")
  /// 204, never with a body.
  public static let noContent = HTTPStatus(204, "No Content")
  /// 206, with a `Content-Range`.
  public static let partialContent = HTTPStatus(206, "Partial Content")
  /// 301, with a `Location`.
  public static let movedPermanently = HTTPStatus(301, "Moved Permanently")
  /// 302, with a `Location`.
  public static let found = HTTPStatus(302, "Found")
  /// 303, with a `Location`.
  public static let seeOther = HTTPStatus(303, "See Other")
  /// 304, never with a body.
  public static let notModified = HTTPStatus(304, "Not Modified")
  /// 307, with a `Location`.
  public static let temporaryRedirect = HTTPStatus(307, "Temporary Redirect")
  /// 308, with a `Location`.
  public static let permanentRedirect = HTTPStatus(308, "Permanent Redirect")
  /// 400.
  public static let badRequest = HTTPStatus(400, "Bad Request")
  /// 401, with a `WWW-Authenticate`.
  public static let unauthorized = HTTPStatus(401, "Unauthorized")
  /// 403.
  public static let forbidden = HTTPStatus(403, "Forbidden")
  /// 404.
  public static let notFound = HTTPStatus(404, "Not Found")
  /// 405, with an `Allow`.
  public static let methodNotAllowed = HTTPStatus(405, "Method Not Allowed")
  /// 408.
  public static let requestTimeout = HTTPStatus(408, "Request Timeout")
  /// 409.
  public static let conflict = HTTPStatus(409, "Conflict")
  /// 411.
  public static let lengthRequired = HTTPStatus(411, "Length Required")
  /// 412.
  public static let preconditionFailed = HTTPStatus(412, "Precondition Failed")
  /// 413.
  public static let contentTooLarge = HTTPStatus(413, "Content Too Large")
  /// 414.
  public static let uriTooLong = HTTPStatus(414, "URI Too Long")
  /// 415.
  public static let unsupportedMediaType = HTTPStatus(415, "Unsupported Media Type")
  /// 416, with a `Content-Range`.
  public static let rangeNotSatisfiable = HTTPStatus(416, "Range Not Satisfiable")
  /// 417.
  public static let expectationFailed = HTTPStatus(417, "Expectation Failed")
  /// 429.
  public static let tooManyRequests = HTTPStatus(429, "Too Many Requests")
  /// 431.
  public static let requestHeaderFieldsTooLarge = HTTPStatus(
    431, "Request Header Fields Too Large")
  /// 500.
  public static let internalServerError = HTTPStatus(500, "Internal Server Error")
  /// 501.
  public static let notImplemented = HTTPStatus(501, "Not Implemented")
  /// 502.
  public static let badGateway = HTTPStatus(502, "Bad Gateway")
  /// 503.
  public static let serviceUnavailable = HTTPStatus(503, "Service Unavailable")
  /// 504.
  public static let gatewayTimeout = HTTPStatus(504, "Gateway Timeout")
  /// 505.
  public static let httpVersionNotSupported = HTTPStatus(505, "HTTP Version Not Supported")
  /// 507: the disk is full.
  public static let insufficientStorage = HTTPStatus(507, "Insufficient Storage")
}
