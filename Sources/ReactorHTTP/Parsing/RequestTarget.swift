/// The target of a request, in one of four forms (RFC 9112, 3.2).
struct RequestTarget: Sendable, Equatable {
  /// The target as sent, with replacement characters for bytes that are not UTF-8.
  let text: String

  /// The path, percent-encoded: "/a%20b". It is "/" for an absolute form without a path, "*" for
  /// the asterisk form, and empty for the authority form.
  let path: String

  /// The part after the question mark, percent-encoded; nil without one.
  let query: String?

  /// The host and port of the authority form, or of the absolute form, where they override the
  /// field `Host` (RFC 9112, 3.2.2).
  let authority: String?

  /// Parses any form that the method allows.
  ///
  /// - Parameter bytes: One or more bytes, each of them allowed in a target.
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
      guard method == .options else { throw .bad("Only OPTIONS may have \"*\" as its target.") }
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
      throw .bad("The target is neither a path nor an http or https URL.")
    }
    let end = bytes.firstIndex(from: start) { "/?#".utf8.contains($0) } ?? bytes.count
    // A target without a host is invalid (RFC 9110, 4.2.1), and one with a user name is suspicious
    // (4.2.4).
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

  /// Splits a target. A client should not send a fragment; it is removed.
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
