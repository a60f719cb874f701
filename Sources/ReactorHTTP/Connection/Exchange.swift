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
    case open(request: OpaquePointer, HTTPConnection)
    case completed
    case lost
  }

  private enum Phase {
    case waiting
    case streaming(remaining: Int?, Framing)
    case ended
    /// The connection is about to be closed in the middle of the answer.
    case cut
  }

  /// How the pieces of a body go out.
  private enum Framing {
    case plain
    case chunked

    /// Not at all: `HEAD`, and statuses without a body.
    case omitted
  }

  let deferred: DeferredCalls
  private let method: HTTPMethod
  private let isPlainlyKeptAlive: Bool
  private var link: Link
  private var phase = Phase.waiting
  /// Nil where evhttp sends the answer.
  private var direct: DirectAnswer?
  private var lossAction: (() -> Void)?
  private var endAction: ((HTTPResponder.Outcome) -> Void)?
  private var status: HTTPStatus?

  /// What the kernel has taken of the body, by whole pieces.
  private var bodyByteCount: Int64 = 0

  /// Set where the connection must not serve another request.
  var closesConnection = false

  init(
    _ request: OpaquePointer, _ message: HTTPRequest, _ connection: HTTPConnection,
    _ deferred: DeferredCalls
  ) {
    method = message.method
    isPlainlyKeptAlive = message.isPlainlyKeptAlive
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
    let length = status.allowsBody ? body.count : nil
    let isBodySent = status.allowsBody && method != .head
    if isBodySent { bodyByteCount = Int64(body.count) }
    if beginDirectly(status, headers, length, connection) {
      if isBodySent { direct?.add(body) }
      return sendLater(connection)
    }
    unsafe addHeaders(headers, contentLength: length, to: request, connection)
    let output = unsafe evhttp_request_get_output_buffer(request)
    if isBodySent {
      let bytes = ContiguousArray(body)
      _ = unsafe bytes.withUnsafeBytes { unsafe evbuffer_add(output, $0.baseAddress, $0.count) }
    }
    // evhttp sends what is in the output buffer behind the header, whatever the method is.
    connection.noteOutput {
      unsafe evhttp_send_reply(request, Int32(status.code), status.reason, nil)
    }
    connection.stopReading()
  }

  func start(_ status: HTTPStatus, _ headers: HTTPFields, contentLength: Int?) {
    precondition(contentLength ?? 0 >= 0, "HTTPResponder: a content length is 0 or more")
    begin(status, headers)
    let isBodySent = status.allowsBody && method != .head
    phase = .streaming(remaining: contentLength, isBodySent ? .plain : .omitted)
    guard let (request, connection) = unsafe openLink else { return }
    let length = status.allowsBody ? contentLength : nil
    if length != nil || !status.allowsBody,
      beginDirectly(status, headers, length, connection)
    {
      return sendLater(connection)
    }
    unsafe addHeaders(headers, contentLength: length, to: request, connection)
    if contentLength == nil { unsafe dropKeepAlive(of: request) }
    connection.noteOutput {
      unsafe evhttp_send_reply_start(request, Int32(status.code), status.reason)
    }
    connection.stopReading()
    // evhttp decides on chunks by the client's version, and tells by this line only.
    let output = unsafe evhttp_request_get_output_headers(request)
    if unsafe evhttp_find_header(output, "Transfer-Encoding") != nil {
      phase = .streaming(remaining: nil, .chunked)
    }
  }

  func write(_ buffer: consuming IOBuffer, _ completion: @escaping OutgoingPiece.Completion) {
    let framing = countDown(buffer.count)
    let byteCount = buffer.count
    let piece = OutgoingPiece(buffer, self, completion)
    guard let (_, connection) = unsafe openLink, framing != .omitted, byteCount > 0 else {
      return piece.skipped()
    }
    if direct != nil {
      direct?.add(piece, connection)
      return sendLater(connection)
    }
    // Not evhttp_send_reply_chunk: it does the same, and has epoll add and remove the read event
    // each time. Writing is on since `start`, so adding bytes is enough.
    let output = unsafe bufferevent_get_output(connection.stream)
    connection.noteOutput {
      if framing == .chunked { unsafe add("\(String(byteCount, radix: 16))\r\n", to: output) }
      unsafe addReference(to: piece, in: output)
      if framing == .chunked { unsafe add("\r\n", to: output) }
    }
  }

  func end() {
    guard case .streaming(let remaining, let framing) = phase else {
      preconditionFailure("HTTPResponder: end is for an answer that was started and not ended")
    }
    // The client was promised more; only a broken connection can tell it.
    if framing != .omitted, let remaining, remaining > 0 { return cut() }
    phase = .ended
    guard let (request, connection) = unsafe openLink else { return }
    if direct != nil { return sendLater(connection) }
    unsafe evhttp_send_reply_end(request)
    // That completed the exchange if nothing was left to send, and evhttp reads the next request.
    if case .open = link { connection.stopReading() }
  }

  func cut() {
    // What was written before goes out before.
    sendDirectly()
    phase = .cut
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

  func onEnd(_ action: @escaping (HTTPResponder.Outcome) -> Void) {
    endAction = action
    if case .open = link { return }
    callEndAction()
  }

  /// The kernel has taken a piece of the body.
  func sent(byteCount: Int) {
    bodyByteCount += Int64(byteCount)
  }

  /// The handler let go of its responder.
  func abandoned() {
    switch phase {
    case .waiting: send(.internalServerError, [:], "Internal Server Error\n".utf8)
    case .streaming: cut()
    case .ended, .cut: break
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
    callEndAction()
    connection.finish()
    // evhttp never closes behind a CONNECT by itself.
    if method == .connect { connection.cutLater() }
  }

  /// The connection ends, and the request with it.
  func connectionClosed() {
    guard case .open(let request, _) = link else { return }
    link = .lost
    direct?.drop()
    if unsafe evhttp_request_get_connection(request) == nil {
      unsafe evhttp_request_free(request)
    }
    if let action = lossAction {
      lossAction = nil
      deferred.add(action)
    }
    callEndAction()
  }

  private func callEndAction() {
    guard let action = endAction else { return }
    endAction = nil
    let isComplete = if case .completed = link { true } else { false }
    let outcome = HTTPResponder.Outcome(
      status: status, bodyByteCount: bodyByteCount, isComplete: isComplete)
    deferred.add { action(outcome) }
  }
}

// How an answer begins.
extension Exchange {
  /// What an answer is written to; nil when it is out, or the client is gone.
  private var openLink: (request: OpaquePointer, HTTPConnection)? {
    guard case .open(let request, let connection) = link else { return nil }
    connection.checkThread()
    return unsafe (request, connection)
  }

  private func begin(_ status: HTTPStatus, _ headers: HTTPFields) {
    precondition(!isStarted, "HTTPResponder: a request is answered once")
    precondition(status.code >= 200, "HTTPResponder: an answer's status is 200 or more")
    self.status = status
    precondition(
      !headers.contains("Content-Length") && !headers.contains("Transfer-Encoding"),
      "HTTPResponder: the length of an answer is set by the responder, not by its headers")
  }

  /// Goes past evhttp where that knows no better; tells whether it does.
  private func beginDirectly(
    _ status: HTTPStatus, _ headers: HTTPFields, _ contentLength: Int?,
    _ connection: HTTPConnection
  ) -> Bool {
    guard isPlainlyKeptAlive, !closesConnection, !connection.isServerShuttingDown,
      method != .connect, !headers.contains("Connection"), connection.isOutputEmpty
    else { return false }
    let head = AnswerHead.bytes(
      status, headers, contentLength: contentLength, date: connection.dateLine())
    direct = unsafe DirectAnswer(head: head, connection.beginDirectAnswer())
    return true
  }

  private func sendLater(_ connection: HTTPConnection) {
    guard direct?.isDue == false else { return }
    direct?.isDue = true
    connection.callUrgently { self.sendDirectly() }
  }

  private func sendDirectly() {
    direct?.isDue = false
    if case .cut = phase { return }
    guard let (request, connection) = unsafe openLink else { return }
    direct?.send(connection)
    if case .ended = phase {
      unsafe connection.endDirectAnswer(request, direct?.writeCallback)
    }
  }

  /// Takes a piece off the announced length; tells how its bytes go out.
  private func countDown(_ byteCount: Int) -> Framing {
    guard case .streaming(let remaining, let framing) = phase else {
      preconditionFailure("HTTPResponder: write comes between start and end")
    }
    if let remaining {
      precondition(byteCount <= remaining, "HTTPResponder: more bytes than the content length")
      phase = .streaming(remaining: remaining - byteCount, framing)
    }
    return framing
  }
}
