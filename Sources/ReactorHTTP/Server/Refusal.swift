/// Why a request that evhttp accepts must not be answered on its merits.
///
/// evhttp reads a request's length leniently. Where a proxy in front of it may read another
/// length, a client could hide a second request in the first; such requests are refused and their
/// connection is closed (RFC 9112, 6.1 and 6.3).
struct Refusal {
  let status: HTTPStatus
  let explanation: String

  /// Nil when nothing is wrong with the request.
  init?(_ request: HTTPRequest) {
    let encodings = request.headers.values(of: "Transfer-Encoding")
    let lengths = request.headers.values(of: "Content-Length")
    if !request.headers.haveValidNames {
      self.init(.badRequest, "The name of a header field is not a token.\n")
    } else if encodings.contains(where: { !$0.equalsIgnoringCase("chunked") }) {
      self.init(.notImplemented, "The only transfer encoding known here is chunked.\n")
    } else if encodings.count > 1 || !encodings.isEmpty && !lengths.isEmpty || lengths.count > 1 {
      self.init(.badRequest, "The length of the body is given more than once.\n")
    } else if lengths.contains(where: { !$0.isDecimalNumber }) {
      self.init(.badRequest, "The Content-Length is not a number.\n")
    } else {
      return nil
    }
  }

  private init(_ status: HTTPStatus, _ explanation: String) {
    self.status = status
    self.explanation = explanation
  }
}

extension HTTPRequest {
  /// Whether the header says that a body follows.
  var announcesBody: Bool {
    headers.contains("Transfer-Encoding") || headers["Content-Length"].map { $0 != "0" } ?? false
  }

  /// Whether it is clear that the connection goes on behind an answer of known length.
  ///
  /// Not behind a chunked request: evhttp then ends the answer as if that were chunked, too.
  var isPlainlyKeptAlive: Bool {
    minorVersion == 1 && !headers.contains("Transfer-Encoding")
      && saysNothingButKeepAlive("Connection") && saysNothingButKeepAlive("Proxy-Connection")
  }

  private func saysNothingButKeepAlive(_ name: String) -> Bool {
    headers[name].map { $0.equalsIgnoringCase("keep-alive") } ?? true
  }
}

extension String {
  fileprivate var isDecimalNumber: Bool {
    !isEmpty && utf8.allSatisfy { (UInt8(ascii: "0")...UInt8(ascii: "9")).contains($0) }
  }
}
