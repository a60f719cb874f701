public import Reactor

extension HTTPServer {
  /// A request whose head has arrived. Its body follows, as far as somebody asks for it.
  public final class Request {
    /// The method.
    public let method: HTTPMethod

    /// The target as sent: "/a%20b?c=d", "http://host/a", "*". Bytes that are not UTF-8 become
    /// replacement characters.
    public let target: String

    /// The target's path, still percent-encoded: "/a%20b". "/" for an absolute target without one,
    /// "*" for that target, empty for `CONNECT`.
    public let path: String

    /// What follows the target's question mark, still percent-encoded; nil without one.
    public let query: String?

    /// The host, with a port if there is one, that the request is for: of an absolute target, of
    /// `CONNECT`, or else of the `Host` field. Nil where a client of HTTP/1.0 gives none.
    public var authority: String? { targetAuthority ?? headers["Host"] }
    private let targetAuthority: String?

    /// The minor version of HTTP/1 that the client speaks: 1, or 0 for old programs.
    public let minorVersion: Int

    /// The header fields. The trailer fields of a chunked body are the body's.
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
    /// Most requests have none, and nobody asks for it.
    private var announcedBody: RequestBody?
    private let core: LoopCore

    /// The bytes of the body that were taken.
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
