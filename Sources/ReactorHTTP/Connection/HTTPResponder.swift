public import PosixAIO

/// The means to answer one request, now or later.
///
/// A small answer is sent by ``send(_:headers:body:)``. A large one is streamed:
/// ``start(_:headers:contentLength:)``, then ``write(_:_:)`` each time the piece before was sent,
/// then ``end()``. The socket gets it at the end of the loop's turn, with the answers of all
/// others: a loop that is stopped before sends it when it runs again, or when the server goes.
///
/// A responder that its last holder releases without an answer answers 500. One that is released
/// between `start` and `end` cuts the connection, so that the client can tell.
///
/// When the client is gone, all calls stay allowed and do nothing; pieces come back as
/// ``Delivery/connectionLost``. That a client is gone is noticed by writing to it: one that closed
/// only its sending side still gets its answer.
///
/// Calls in the wrong order are bugs of the handler, and trap.
public final class HTTPResponder {
  /// What became of a piece.
  public enum Delivery: Sendable {
    /// The kernel has taken all its bytes. Whether the client will read them nobody knows.
    case sent

    /// The connection ended before.
    case connectionLost
  }

  /// What became of an answer.
  public struct Outcome: Sendable {
    /// Nil if the connection ended before the answer began.
    public let status: HTTPStatus?

    /// The bytes of the body that the kernel has taken: exact where the answer is complete,
    /// otherwise by whole pieces.
    public let bodyByteCount: Int64

    /// Whether the kernel has taken all of it, and neither side ended the connection before.
    public let isComplete: Bool
  }

  private let exchange: Exchange

  init(_ exchange: Exchange) {
    self.exchange = exchange
  }

  deinit {
    exchange.abandoned()
  }

  /// Sends a complete answer, with its `Content-Length`.
  ///
  /// - Parameters:
  ///   - status: 200 or more.
  ///   - headers: Without `Content-Length` and `Transfer-Encoding`. A `Connection: close` has the
  ///     connection closed behind the answer. evhttp adds a `Date`.
  ///   - body: Copied. To `HEAD` only its length is sent; with 204 and 304, nothing of it.
  ///
  /// Wraps `evhttp_send_reply`.
  public func send(
    _ status: HTTPStatus, headers: HTTPFields = [:],
    body: some Collection<UInt8> = EmptyCollection<UInt8>()
  ) {
    exchange.send(status, headers, body)
  }

  /// Begins an answer whose body follows in pieces.
  ///
  /// - Parameters:
  ///   - status: 200 or more.
  ///   - headers: As for ``send(_:headers:body:)``.
  ///   - contentLength: The bytes that will be written, 0 or more. Nil has them sent in chunks, or
  ///     to a client of HTTP/1.0 up to the connection's end.
  ///
  /// To `HEAD`, and with 204 and 304, pieces may be written and are not sent; for `HEAD` the
  /// content length is, so the same code answers `GET` and `HEAD`. Wraps `evhttp_send_reply_start`.
  public func start(_ status: HTTPStatus, headers: HTTPFields = [:], contentLength: Int?) {
    exchange.start(status, headers, contentLength: contentLength)
  }

  /// Sends the valid bytes of a buffer, without copying them.
  ///
  /// - Parameters:
  ///   - buffer: At most what is left of the content length.
  ///   - whenSent: Gets the buffer back, to be filled again: called exactly once, by the loop,
  ///     never from inside this call. Write the next piece here, and memory stays bounded by the
  ///     pieces that are under way, however slow the client is.
  ///
  /// Pieces may be written before the one before is sent. Wraps
  /// `evbuffer_add_reference`.
  public func write(
    _ buffer: consuming IOBuffer,
    _ whenSent: @escaping (Delivery, consuming IOBuffer) -> Void
  ) {
    exchange.write(buffer, whenSent)
  }

  /// Ends an answer that was started.
  ///
  /// Where fewer bytes were written than its content length says, the connection is cut, as by
  /// ``cut()``. Wraps `evhttp_send_reply_end`.
  public func end() {
    exchange.end()
  }

  /// Closes the connection, so that the client can tell that its answer is not whole.
  ///
  /// For a failure behind ``start(_:headers:contentLength:)``. Where that had no length, a client
  /// of HTTP/1.0 can't tell after all. Pieces that were not sent come back
  /// as ``Delivery/connectionLost``. Does nothing once the answer is out. Wraps
  /// `evhttp_connection_free`, from the loop.
  public func cut() {
    exchange.cut()
  }

  /// Has `action` called once by the loop when the connection ends before the answer is out, also
  /// if that has happened already; replaces the action of an earlier call. Not called behind
  /// ``cut()``.
  ///
  /// - Parameter action: Never called from inside this call.
  public func onConnectionLost(_ action: @escaping () -> Void) {
    exchange.onConnectionLost(action)
  }

  /// Has `action` called once by the loop when the answer is out or the connection has ended, for
  /// logs and figures; replaces the action of an earlier call that was not called yet.
  ///
  /// - Parameter action: Never called from inside this call.
  public func onEnd(_ action: @escaping (Outcome) -> Void) {
    exchange.onEnd(action)
  }

  /// Whether the connection has ended before the answer was out.
  public var isConnectionLost: Bool { exchange.isConnectionLost }

  /// Whether an answer was sent or started.
  public var isStarted: Bool { exchange.isStarted }
}
