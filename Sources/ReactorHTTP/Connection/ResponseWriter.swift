public import PosixAIO
public import Reactor

extension HTTPServer {
  /// Responds to one request, immediately or later.
  ///
  /// Send a small response with ``send(_:headers:body:)``. Stream a large one: call
  /// ``start(_:headers:contentLength:)``, then ``write(_:_:)`` and ``write(_:_:whenSent:)``, then
  /// ``end()``. The loop passes the written bytes to the socket at the end of its turn.
  ///
  /// A writer that is released before its response begins sends a 500, or the status of
  /// ``HTTPServer/RequestBody/Failure/status`` if the request's body has failed. A writer that is
  /// released between `start` and `end` closes the connection, so the client can tell that the
  /// response is incomplete.
  ///
  /// After the client is gone, all calls are still allowed and do nothing; pieces complete with
  /// ``Delivery/connectionLost``. A client that closes only its sending side still gets its
  /// response.
  ///
  /// Calls in the wrong order are bugs of the handler, and trap.
  public final class ResponseWriter {
    /// The outcome of a piece.
    public enum Delivery: Sendable {
      /// The kernel has taken all bytes of the piece. The client may still not read them.
      case sent

      /// The connection ended first.
      case connectionLost
    }

    /// The outcome of a response.
    public struct Outcome: Sendable {
      /// The status; nil if the connection ended before the response began.
      public let status: HTTPStatus?

      /// The bytes of the body that the kernel has taken. The count is exact, except for a chunked
      /// response that was cut off: there it counts whole pieces only.
      public let bodyByteCount: Int64

      /// Whether the kernel has taken the whole response before either side ended the connection.
      public let isComplete: Bool

      /// Why sending a range of a file failed, which closed the connection; nil if none failed.
      public let fileFailure: PumpError.Reason?
    }

    private let exchange: Exchange

    init(_ exchange: Exchange) {
      self.exchange = exchange
    }

    deinit {
      exchange.abandoned()
    }

    /// Sends a complete response, with its `Content-Length` and a `Date`.
    ///
    /// - Parameters:
    ///   - status: 200 or more.
    ///   - headers: Must not include `Content-Length` or `Transfer-Encoding`. `Connection: close`
    ///     closes the connection after the response.
    ///   - body: The bytes, which are copied. A response to `HEAD` has only their length; with 204
    ///     and 304, they are not sent and have no length.
    public func send(
      _ status: HTTPStatus, headers: HeaderFields = [:],
      body: some Collection<UInt8> = EmptyCollection<UInt8>()
    ) {
      exchange.send(status, headers, body)
    }

    /// Begins a response whose body follows in pieces.
    ///
    /// - Parameters:
    ///   - status: 200 or more.
    ///   - headers: As for ``send(_:headers:body:)``.
    ///   - contentLength: The bytes that will be written, 0 or more. Nil sends them chunked, or
    ///     until the end of the connection to a client of HTTP/1.0.
    ///
    /// For `HEAD`, and with 204 and 304, written pieces are not sent. For `HEAD` the content length
    /// is sent, so the same code serves `GET` and `HEAD`.
    public func start(_ status: HTTPStatus, headers: HeaderFields = [:], contentLength: Int64?) {
      exchange.start(status, headers, contentLength: contentLength)
    }

    /// Sends the valid bytes of a buffer, without copying them.
    ///
    /// - Parameters:
    ///   - buffer: The bytes, at most the rest of the content length.
    ///   - whenSent: Receives the buffer, which may then be filled again. The loop calls it exactly
    ///     once, never from inside this call. If you write the next piece here, the pieces in
    ///     flight bound the memory, however slow the client is.
    ///
    /// Further pieces may be written before a piece is sent.
    public func write(
      _ buffer: consuming IOBuffer,
      _ whenSent: @escaping (Delivery, consuming IOBuffer) -> Void
    ) {
      exchange.write(buffer, whenSent)
    }

    /// Sends bytes of a file, in order with the other pieces. Bytes in the page cache are sent
    /// without a copy; others are read asynchronously.
    ///
    /// - Parameters:
    ///   - file: A file of the same loop, open for reading. It may be closed right after this call.
    ///   - range: Offsets in bytes from the start of the file; at most the rest of the content
    ///     length.
    ///   - whenSent: The loop calls it exactly once, never from inside this call, with the number
    ///     of bytes sent or the error. If the file has become shorter or cannot be read, the
    ///     connection is closed.
    public func write(
      _ file: File, _ range: Range<Int64>,
      whenSent: ((Result<Int64, PumpError>) -> Void)? = nil
    ) {
      exchange.write(file, range, whenSent)
    }

    /// Ends a response that was started.
    ///
    /// If fewer bytes were written than the content length, the connection is closed as by
    /// ``cut()``.
    public func end() {
      exchange.finish()
    }

    /// Closes the connection, so the client can tell that its response is incomplete.
    ///
    /// Use this for a failure after ``start(_:headers:contentLength:)``. A client of HTTP/1.0
    /// cannot tell if the response has no content length. Bytes written earlier are sent as far as
    /// the socket accepts them immediately; other pieces complete with ``Delivery/connectionLost``.
    /// Does nothing once the response is written.
    public func cut() {
      exchange.cut()
    }

    /// Calls `action` once if the connection ends before the response is sent, including when it
    /// has already ended. Replaces the action of an earlier call. The action is not called after
    /// ``cut()``.
    ///
    /// - Parameter action: Called by the loop, never from inside this call.
    public func onConnectionLost(_ action: @escaping () -> Void) {
      exchange.onConnectionLost(action)
    }

    /// Calls `action` once when the response is sent or the connection has ended. Replaces the
    /// action of an earlier call, unless that has already run.
    ///
    /// - Parameter action: Called by the loop, never from inside this call.
    public func onEnd(_ action: @escaping (Outcome) -> Void) {
      exchange.onEnd(action)
    }

    /// Whether the connection ended before the response was sent.
    public var isConnectionLost: Bool { exchange.fate == .lost }

    /// Whether a response was sent or started.
    public var isStarted: Bool { exchange.isStarted }
  }
}
