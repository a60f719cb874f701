public import PosixAIO
public import Reactor

extension HTTPServer {
  /// The means to respond to one request, now or later.
  ///
  /// A small response is sent by ``send(_:headers:body:)``. A large one is streamed:
  /// ``start(_:headers:contentLength:)``, then ``write(_:_:)`` and ``write(_:_:whenSent:)``, then
  /// ``end()``. The socket gets what was written at the end of the loop's turn.
  ///
  /// A writer that its last holder releases without a response responds 500; or, where the body of
  /// the request has failed, what ``HTTPServer/RequestBody/Failure/status`` says. One that is
  /// released between `start` and `end` cuts the connection, so that the client can tell.
  ///
  /// When the client is gone, all calls stay allowed and do nothing; pieces come back as
  /// ``Delivery/connectionLost``. A client that closed only its sending side still gets its
  /// response.
  ///
  /// Calls in the wrong order are bugs of the handler, and trap.
  public final class ResponseWriter {
    /// What became of a piece.
    public enum Delivery: Sendable {
      /// The kernel has taken all its bytes. Whether the client will read them nobody knows.
      case sent

      /// The connection ended before.
      case connectionLost
    }

    /// What became of a response.
    public struct Outcome: Sendable {
      /// Nil if the connection ended before the response began.
      public let status: HTTPStatus?

      /// The bytes of the body that the kernel has taken: by whole pieces where a response in
      /// chunks was broken off, else exact.
      public let bodyByteCount: Int64

      /// Whether the kernel has taken all of it, and neither side ended the connection before.
      public let isComplete: Bool

      /// Why a range of a file could not be sent, which has cut the connection; nil if none failed.
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
    ///   - headers: Without `Content-Length` and `Transfer-Encoding`. A `Connection: close` has the
    ///     connection closed behind the response.
    ///   - body: Copied. To `HEAD` only its length is sent; with 204 and 304, nothing of it.
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
    ///   - contentLength: The bytes that will be written, 0 or more. Nil has them sent in chunks,
    ///     or to a client of HTTP/1.0 up to the connection's end.
    ///
    /// To `HEAD`, and with 204 and 304, pieces may be written and are not sent; for `HEAD` the
    /// content length is, so the same code answers `GET` and `HEAD`.
    public func start(_ status: HTTPStatus, headers: HeaderFields = [:], contentLength: Int64?) {
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
    /// Pieces may be written before the one before is sent.
    public func write(
      _ buffer: consuming IOBuffer,
      _ whenSent: @escaping (Delivery, consuming IOBuffer) -> Void
    ) {
      exchange.write(buffer, whenSent)
    }

    /// Sends bytes of a file, in order with the other pieces: from the page cache without a copy
    /// where they are there, else by asynchronous reads.
    ///
    /// - Parameters:
    ///   - file: Of the same loop, open for reading. It may be closed right after this call.
    ///   - range: In bytes from the file's start, at most what is left of the content length.
    ///   - whenSent: Called exactly once, by the loop, never from inside this call: with the bytes
    ///     that were sent, or why it was not all of them. A file that has become shorter, or can't
    ///     be read, cuts the connection.
    public func write(
      _ file: File, _ range: Range<Int64>,
      whenSent: ((Result<Int64, PumpError>) -> Void)? = nil
    ) {
      exchange.write(file, range, whenSent)
    }

    /// Ends a response that was started.
    ///
    /// Where fewer bytes were written than its content length says, the connection is cut, as by
    /// ``cut()``.
    public func end() {
      exchange.finish()
    }

    /// Closes the connection, so that the client can tell that its response is not whole.
    ///
    /// For a failure behind ``start(_:headers:contentLength:)``. Where that had no length, a client
    /// of HTTP/1.0 can't tell after all. What was written before is sent as far as the socket takes
    /// it at once; other pieces come back as ``Delivery/connectionLost``. Does nothing once the
    /// response is written.
    public func cut() {
      exchange.cut()
    }

    /// Has `action` called once by the loop when the connection ends before the response is out,
    /// also if that has happened already; replaces the action of an earlier call. Not called behind
    /// ``cut()``.
    ///
    /// - Parameter action: Never called from inside this call.
    public func onConnectionLost(_ action: @escaping () -> Void) {
      exchange.onConnectionLost(action)
    }

    /// Has `action` called once by the loop when the response is out or the connection has ended;
    /// replaces the action of an earlier call that was not called yet.
    ///
    /// - Parameter action: Never called from inside this call.
    public func onEnd(_ action: @escaping (Outcome) -> Void) {
      exchange.onEnd(action)
    }

    /// Whether the connection has ended before the response was out.
    public var isConnectionLost: Bool { exchange.fate == .lost }

    /// Whether a response was sent or started.
    public var isStarted: Bool { exchange.isStarted }
  }
}
