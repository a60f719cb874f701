public import Reactor

extension HTTPServer {
  /// A request whose head has arrived. Its body arrives as the handler reads it.
  public final class Request {
    /// The method.
    public let method: HTTPMethod

    /// The target as sent: "/a%20b?c=d", "http://host/a" or "*". Bytes that are not UTF-8 become
    /// replacement characters.
    public let target: String

    /// The path of the target, percent-encoded: "/a%20b". It is "/" for an absolute target without
    /// a path, "*" for that target, and empty for `CONNECT`.
    public let path: String

    /// The part of the target after the question mark, percent-encoded; nil without one.
    public let query: String?

    /// The host, and the port if present, that the request is for. It comes from an absolute target
    /// or the target of `CONNECT`, otherwise from the `Host` field. Nil if a client of HTTP/1.0
    /// sends none.
    public var authority: String? { targetAuthority ?? headers["Host"] }
    private let targetAuthority: String?

    /// The minor version of HTTP/1: 1, or 0 for old clients.
    public let minorVersion: Int

    /// The header fields. ``RequestBody/trailers`` has the trailer fields of a chunked body.
    public let headers: HeaderFields

    /// The client's address.
    public let peerAddress: SocketAddress

    /// The body, which may be empty.
    public var body: RequestBody {
      if let announcedBody { return announcedBody }
      let empty = RequestBody(emptyOn: core)
      announcedBody = empty
      return empty
    }
    /// Nil until it is used, because most requests have no body.
    private var announcedBody: RequestBody?
    private let core: LoopCore

    /// The bytes of the body that were read or dropped.
    var receivedByteCount: Int64 { announcedBody?.receivedByteCount ?? 0 }

    init(_ head: consuming RequestHead, _ body: RequestBody?, from connection: ServerConnection) {
      method = head.method
      target = head.target.text
      path = head.target.path
      query = head.target.query
      targetAuthority = head.target.authority
      minorVersion = head.minorVersion
      headers = head.headerFields
      peerAddress = connection.peerAddress
      announcedBody = body
      core = connection.core
    }
  }
}
