/// What a request asks for, in one of four forms (RFC 9112, 3.2).
struct RequestTarget: Sendable, Equatable {
  /// The target as sent, with replacement characters for what is not UTF-8.
  let text: String

  /// Percent-encoded: "/a%20b". "/" for an absolute form without path, "*" for the asterisk form,
  /// empty for the authority form.
  let path: String

  /// What follows the question mark, percent-encoded; nil without one.
  let query: String?

  /// Host and port of the absolute form, which count instead of the field `Host` (RFC 9112,
  /// 3.2.2), or of the authority form.
  let authority: String?

  /// Reads any form that is right for the method.
  ///
  /// - Parameter bytes: One or more, each of which may stand in a target.
  init(_ bytes: Span<UInt8>, method: HTTPMethod) throws(RequestError) {
    text = bytes.text(0..<bytes.count)
    if method == .connect {
      guard Authority(bytes)?.isDestination == true else {
        throw .bad("The target of CONNECT is not a host and a port.")
      }
      (path, query, authority) = ("", nil, text)
    } else if bytes[0] == UInt8(ascii: "/") {
      (path, query) = Self.pathAndQuery(bytes, from: 0, text: text)
      authority = nil
    } else if bytes.count == 1, bytes[0] == UInt8(ascii: "*") {
      guard method == .options else { throw .bad("Only OPTIONS has \"*\" as its target.") }
      (path, query, authority) = (text, nil, nil)
    } else {
      let host = try Self.authority(ofAbsolute: bytes)
      authority = bytes.text(host)
      (path, query) = Self.pathAndQuery(bytes, from: host.upperBound, text: text)
    }
  }

  /// The authority in `http://authority/path`.
  private static func authority(ofAbsolute bytes: Span<UInt8>) throws(RequestError) -> Range<Int> {
    guard let start = Self.schemeEnd(bytes) else {
      throw .bad("The target is neither a path nor an address of http or https.")
    }
    let end = bytes.firstIndex(from: start) { "/?#".utf8.contains($0) } ?? bytes.count
    // Without a host it is invalid (RFC 9110, 4.2.1), and with a user it is suspect (4.2.4).
    guard let authority = Authority(bytes.extracting(start..<end)), !authority.host.isEmpty else {
      throw .bad("The target's host is missing or malformed.")
    }
    return start..<end
  }

  /// The index after `http://` or `https://` (in any case, RFC 3986, 3.1).
  private static func schemeEnd(_ bytes: Span<UInt8>) -> Int? {
    for scheme in ["http://", "https://"] {
      let length = scheme.utf8.count
      if bytes.count >= length,
        bytes.extracting(first: length).equalsIgnoringCase(scheme.utf8Span.span)
      {
        return length
      }
    }
    return nil
  }

  /// A fragment is nothing that a client should send; it is cut off.
  private static func pathAndQuery(
    _ bytes: Span<UInt8>, from start: Int, text: String
  ) -> (path: String, query: String?) {
    let end = bytes.firstIndex(from: start) { $0 == UInt8(ascii: "#") } ?? bytes.count
    let mark = bytes.firstIndex(from: start) { $0 == UInt8(ascii: "?") } ?? end
    let pathEnd = min(mark, end)
    let path =
      if pathEnd == start { "/" } else if start == 0, pathEnd == bytes.count { text } else {
        bytes.text(start..<pathEnd)
      }
    return (path, mark < end ? bytes.text(mark + 1..<end) : nil)
  }
}
