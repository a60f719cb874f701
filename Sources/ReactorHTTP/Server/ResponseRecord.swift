public import Reactor

extension HTTPServer {
  /// A request and the outcome of its response, for logs and statistics.
  public struct ResponseRecord {
    /// The request; nil if it was refused before its head was parsed.
    public let request: Request?

    /// The start of the first line of a refused request, at most 2 KiB; it may contain any bytes.
    /// Empty if ``request`` is not nil.
    public let refusedLine: String

    /// The client's address.
    public let peerAddress: SocketAddress

    /// The bytes of the request's body that were read or dropped.
    public var receivedByteCount: Int64 { request?.receivedByteCount ?? 0 }

    /// The outcome of the response.
    public let outcome: ResponseWriter.Outcome
  }
}
