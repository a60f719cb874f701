internal import CLibevent
internal import CLibeventExtra
internal import PosixAIO

/// A request and its answer: the part of a responder that evhttp and the connection know.
///
/// **When evhttp's request dies.** Either the answer was sent: evhttp calls `on_complete`, then
/// frees the request. Or the connection ends before: evhttp calls the connection's `closecb`
/// (``connectionClosed()``), and then it depends. Where the client hung up or stalled before the
/// answer was complete, evhttp has taken the request off the connection, which is left nil in it,
/// and never touches it again, so it is freed here. In all other cases (the connection is closed
/// by `evhttp_free` or by us, or the client hung up while the complete answer was being sent) the
/// request is still on the connection, and evhttp frees it right after. So after one of the two
/// callbacks nobody may use the request, and ``Link`` has it no longer.
final class Exchange {
  @safe
  private enum Link {
    case open(request: OpaquePointer, Connection)
    case completed
    case lost
  }

  private enum Phase {
    case waiting
    case streaming(remaining: Int?, isBodySent: Bool)
    case ended
  }

  let deferred: DeferredCalls
  private let method: HTTPMethod
  private var link: Link
  private var phase = Phase.waiting
  private var lossAction: (() -> Void)?

  /// Set where the connection must not serve another request.
  var closesConnection = false

  init(
    _ request: OpaquePointer, _ method: HTTPMethod, _ connection: Connection,
    _ deferred: DeferredCalls
  ) {
    self.method = method
    self.deferred = deferred
    link = unsafe .open(request: request, connection)
    unsafe setCallbacks(of: request, to: self)
  }

  var isConnectionLost: Bool {
    if case .lost = link { true } else { false }
  }

  var isStarted: Bool {
    if case .waiting = phase { false } else { true }
  }

  func send(_ status: HTTPStatus, _ headers: HTTPFields, _ body: some Collection<UInt8>) {
    begin(status, headers)
    phase = .ended
    guard let (request, connection) = unsafe openLink else { return }
    let hasLength = status.allowsBody
    unsafe addHeaders(headers, contentLength: hasLength ? body.count : nil, to: request, connection)
    let output = unsafe evhttp_request_get_output_buffer(request)
    if status.allowsBody && method != .head {
      let bytes = ContiguousArray(body)
      _ = unsafe bytes.withUnsafeBytes { unsafe evbuffer_add(output, $0.baseAddress, $0.count) }
    }
    // evhttp sends what is in the output buffer behind the header, whatever the method is.
    unsafe evhttp_send_reply(request, Int32(status.code), status.reason, nil)
    connection.stopReading()
  }

  func start(_ status: HTTPStatus, _ headers: HTTPFields, contentLength: Int?) {
    precondition(contentLength ?? 0 >= 0, "HTTPResponder: a content length is 0 or more")
    begin(status, headers)
    // evhttp sends no pieces to CONNECT; their place is taken by a length of 0.
    let isConnect = method == .connect
    phase = .streaming(
      remaining: contentLength,
      isBodySent: status.allowsBody && method != .head && !isConnect)
    guard let (request, connection) = unsafe openLink else { return }
    let length = isConnect ? 0 : contentLength
    unsafe addHeaders(
      headers, contentLength: status.allowsBody ? length : nil, to: request, connection)
    if length == nil { unsafe dropKeepAlive(of: request) }
    unsafe evhttp_send_reply_start(request, Int32(status.code), status.reason)
    connection.stopReading()
  }

  func write(_ buffer: consuming IOBuffer, _ completion: @escaping OutgoingPiece.Completion) {
    let isBodySent = countDown(buffer.count)
    let isEmpty = buffer.isEmpty
    let piece = OutgoingPiece(buffer, self, completion)
    guard let (request, connection) = unsafe openLink, isBodySent, !isEmpty else {
      return piece.released()
    }
    guard let pieces = unsafe evbuffer_new() else { outOfMemory() }
    unsafe addReference(to: piece, in: pieces)
    unsafe evhttp_send_reply_chunk(request, pieces)
    unsafe evbuffer_free(pieces)
    connection.stopReading()
  }

  func end() {
    guard case .streaming(let remaining, let isBodySent) = phase else {
      preconditionFailure("HTTPResponder: end is for an answer that was started and not ended")
    }
    // The client was promised more; only a broken connection can tell it.
    if isBodySent, let remaining, remaining > 0 { return cut() }
    phase = .ended
    guard let (request, connection) = unsafe openLink else { return }
    unsafe evhttp_send_reply_end(request)
    // That completed the exchange if nothing was left to send, and evhttp reads the next request.
    if case .open = link { connection.stopReading() }
  }

  func cut() {
    phase = .ended
    lossAction = nil
    guard let (_, connection) = unsafe openLink else { return }
    connection.cutLater()
  }

  func onConnectionLost(_ action: @escaping () -> Void) {
    switch link {
    case .open: lossAction = action
    case .completed: break
    case .lost: deferred.add(action)
    }
  }

  /// The handler let go of its responder.
  func abandoned() {
    switch phase {
    case .waiting: send(.internalServerError, [:], "Internal Server Error\n".utf8)
    case .streaming: cut()
    case .ended: break
    }
  }
}

// What happens to the connection.
extension Exchange {
  /// evhttp has handed the last byte to the kernel, and will free the request.
  func completed() {
    guard case .open(_, let connection) = link else { return }
    link = .completed
    lossAction = nil
    connection.finish()
    // evhttp never closes behind a CONNECT by itself.
    if method == .connect { connection.cutLater() }
  }

  /// The connection ends, and the request with it.
  func connectionClosed() {
    guard case .open(let request, _) = link else { return }
    link = .lost
    if unsafe evhttp_request_get_connection(request) == nil {
      unsafe evhttp_request_free(request)
    }
    if let action = lossAction {
      lossAction = nil
      deferred.add(action)
    }
  }
}

// How an answer begins.
extension Exchange {
  /// What an answer is written to; nil when it is out, or the client is gone.
  private var openLink: (request: OpaquePointer, Connection)? {
    guard case .open(let request, let connection) = link else { return nil }
    connection.checkThread()
    return unsafe (request, connection)
  }

  private func begin(_ status: HTTPStatus, _ headers: HTTPFields) {
    precondition(!isStarted, "HTTPResponder: a request is answered once")
    precondition(status.code >= 200, "HTTPResponder: an answer's status is 200 or more")
    precondition(
      headers["Content-Length"] == nil && headers["Transfer-Encoding"] == nil,
      "HTTPResponder: the length of an answer is set by the responder, not by its headers")
  }

  private func addHeaders(
    _ headers: HTTPFields, contentLength: Int?, to request: OpaquePointer, _ connection: Connection
  ) {
    var headers = headers
    if let contentLength { headers.add("Content-Length", String(contentLength)) }
    // evhttp looks for this line, and closes behind the answer if it says so.
    if closesConnection || connection.isServerShuttingDown { headers["Connection"] = "close" }
    let output = unsafe evhttp_request_get_output_headers(request)
    for field in headers { unsafe evhttp_add_header(output, field.name, field.value) }
  }

  /// A client of HTTP/1.0 that wants to be kept alive can't be where the length of the answer is
  /// not known; evhttp would tell it that the length is 0. Changes nothing for HTTP/1.1.
  private func dropKeepAlive(of request: OpaquePointer) {
    let headers = unsafe evhttp_request_get_input_headers(request)
    let value = unsafe String(evhttp: evhttp_find_header(headers, "Connection")) ?? ""
    if value.prefix(10).description.equalsIgnoringCase("keep-alive") {
      unsafe evhttp_remove_header(headers, "Connection")
    }
  }

  /// Takes a piece off the announced length; tells whether its bytes go out.
  private func countDown(_ byteCount: Int) -> Bool {
    guard case .streaming(let remaining, let isBodySent) = phase else {
      preconditionFailure("HTTPResponder: write comes between start and end")
    }
    precondition(byteCount <= Int(UInt32.max), "HTTPResponder: a piece is less than 4 GiB")
    if let remaining {
      precondition(byteCount <= remaining, "HTTPResponder: more bytes than the content length")
      phase = .streaming(remaining: remaining - byteCount, isBodySent: isBodySent)
    }
    return isBodySent
  }
}
