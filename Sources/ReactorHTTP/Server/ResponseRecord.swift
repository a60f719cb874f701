public import Reactor

extension HTTPServer {
  /// What became of one request, for logs and figures.
  public struct ResponseRecord {
    /// The request; nil for one that was refused before its head was understood.
    public let request: Request?

    /// The first line of what was refused, as far as it arrived, at most 2 KiB: it may hold
    /// anything. Empty where ``request`` is there.
    public let refusedLine: String

    /// The client's address.
    public let peerAddress: SocketAddress

    /// The bytes of the request's body that were taken.
    public var receivedByteCount: Int64 { request?.receivedByteCount ?? 0 }

    /// What became of the response.
    public let outcome: ResponseWriter.Outcome
  }
}
