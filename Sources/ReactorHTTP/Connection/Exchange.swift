internal import PosixAIO
internal import Reactor

/// A request and its response, as the connection sees them.
///
/// An exchange begins with the head of its request. It ends when the kernel has taken the last byte
/// of the response, or when the connection ends first. The next request of the connection may begin
/// once the response is written. A connection may therefore have several exchanges that wait to be
/// sent, but at most one that is being written.
final class Exchange {
  private enum Phase {
    case waiting
    case streaming(remaining: Int64?, Framing)
    case written
    /// The connection is about to be closed before the response is complete.
    case cut
  }

  /// How the pieces of a body are sent.
  private enum Framing {
    case plain
    case chunked
    /// Not sent: `HEAD`, and statuses without a body.
    case omitted
  }

  enum Fate {
    case open
    case sent
    case lost
  }

  /// The properties of a request that its response depends on.
  struct Terms {
    let method: HTTPMethod?
    let minorVersion: Int
    /// Whether the client keeps the connection open.
    let keepsAlive: Bool

    var isHead: Bool { method == .head }

    /// Whether a response of this status has content. The bytes after the head of a tunnel are not
    /// content (RFC 9110, 9.3.6).
    func allowContent(_ status: HTTPStatus) -> Bool {
      status.allowsBody && !(method == .connect && status.code < 300)
    }
  }

  /// Nil if the request was refused before its head was parsed.
  let request: HTTPServer.Request?
  /// Nil if there is none.
  let body: HTTPServer.RequestBody?
  /// The first line of a refused request.
  let refusedLine: String
  let peerAddress: SocketAddress
  private let core: LoopCore
  private let terms: Terms
  private var connection: ServerConnection?
  private var phase = Phase.waiting
  private(set) var fate = Fate.open
  private var status: HTTPStatus?
  private var lossAction: (() -> Void)?
  private var endAction: ((HTTPServer.ResponseWriter.Outcome) -> Void)?

  /// The offset of the body in the output of the connection; nil for a chunked body.
  private var bodyStart: Int64?
  /// The bytes of the body that the kernel has taken.
  private var bodyByteCount: Int64 = 0
  /// Why sending a file failed.
  private var fileFailure: PumpError.Reason?

  /// Whether the connection ends after this response.
  private(set) var endsConnection = false
  /// The offset of the end of the response in the output of the connection; set when the response
  /// is written. It is never reached if the connection was already closed by then.
  private(set) var end: Int64 = 0

  init(
    _ request: HTTPServer.Request?, _ body: HTTPServer.RequestBody? = nil,
    refusedLine: String = "", _ terms: Terms, _ connection: ServerConnection
  ) {
    self.request = request
    self.body = body
    self.refusedLine = refusedLine
    self.terms = terms
    self.connection = connection
    peerAddress = connection.peerAddress
    core = connection.core
  }

  var isStarted: Bool {
    if case .waiting = phase { false } else { true }
  }

  /// Whether the response is complete.
  var isWritten: Bool {
    if case .written = phase { true } else { false }
  }

  /// Whether anything written from now on is discarded.
  private var isLost: Bool {
    if case .cut = phase { true } else { fate == .lost }
  }

  // MARK: - Writing

  func send(_ status: HTTPStatus, _ headers: HeaderFields, _ body: some Collection<UInt8>) {
    if case .cut = phase { return }
    let notable = check(status, headers)
    guard let connection = openConnection else { return phase = .written }
    let hasContent = terms.allowContent(status)
    let isBodySent = hasContent && !terms.isHead
    let length = hasContent ? Int64(body.count) : nil
    let byteCount = isBodySent ? body.count : 0
    writeHead(
      status, headers, notable, .length(length), followingByteCount: byteCount, isWhole: true,
      to: connection)
    if isBodySent {
      bodyStart = connection.output.writtenByteCount
      connection.output.write(body)
    }
    finishWriting(connection)
  }

  func start(_ status: HTTPStatus, _ headers: HeaderFields, contentLength: Int64?) {
    require(contentLength ?? 0 >= 0, "ResponseWriter: a content length is 0 or more")
    if case .cut = phase { return }
    let notable = check(status, headers)
    let hasContent = terms.allowContent(status)
    let isBodySent = hasContent && !terms.isHead
    let isChunked = contentLength == nil && isBodySent && terms.minorVersion > 0
    phase = .streaming(
      remaining: contentLength, !isBodySent ? .omitted : isChunked ? .chunked : .plain)
    guard let connection = openConnection else { return }
    let framing: ResponseFraming =
      switch contentLength {
      case let length?: .length(hasContent ? length : nil)
      case nil: isChunked ? .chunked : isBodySent ? .connection : .length(nil)
      }
    let isSmall = isBodySent && contentLength ?? .max <= Connection.smallRangeByteCount
    writeHead(
      status, headers, notable, framing,
      followingByteCount: isSmall ? Int(contentLength ?? 0) : 0, isWhole: false, to: connection)
    if isBodySent, !isChunked { bodyStart = connection.output.writtenByteCount }
  }

  func write(
    _ buffer: consuming IOBuffer,
    _ whenSent: @escaping (HTTPServer.ResponseWriter.Delivery, consuming IOBuffer) -> Void
  ) {
    let byteCount = buffer.count
    let framing = countDown(Int64(byteCount))
    guard framing != .omitted, let connection = openConnection else {
      let box = MoveBox(buffer)
      return afterThisCall { [self] in
        whenSent(isLost ? .connectionLost : .sent, box.take())
      }
    }
    connection.watchPace()
    let isChunk = framing == .chunked && byteCount > 0
    if isChunk { connection.output.writeChunkSize(byteCount) }
    connection.output.write(buffer) { [self] isSent, buffer in
      if isSent, isChunk { bodyByteCount += Int64(byteCount) }
      whenSent(isSent ? .sent : .connectionLost, buffer)
    }
    if isChunk { connection.output.write("\r\n") }
  }

  func write(
    _ file: File, _ range: Range<Int64>, _ whenSent: ((Result<Int64, PumpError>) -> Void)?
  ) {
    let byteCount = range.upperBound - range.lowerBound
    let framing = countDown(byteCount)
    guard framing != .omitted, let connection = openConnection else {
      guard let whenSent else { return }
      return afterThisCall { [self] in
        whenSent(isLost ? .failure(.ofLostConnection) : .success(byteCount))
      }
    }
    connection.watchPace()
    guard framing == .chunked, byteCount > 0 else {
      return connection.output.write(file, range, whenSent)
    }
    connection.output.writeChunkSize(Int(byteCount))
    connection.output.write(file, range) { [self] result in
      switch result {
      case .success(let count): bodyByteCount += count
      case .failure(let error): bodyByteCount += error.byteCountDone
      }
      whenSent?(result)
    }
    connection.output.write("\r\n")
  }

  func finish() {
    if case .cut = phase { return }
    guard case .streaming(let remaining, let framing) = phase else {
      trap("ResponseWriter: end must follow start, once")
    }
    // The client expects more bytes; only a broken connection can signal that they will not come.
    if framing != .omitted, let remaining, remaining > 0 { return cut() }
    guard let connection = openConnection else { return phase = .written }
    if framing == .chunked { connection.output.write("0\r\n\r\n") }
    finishWriting(connection)
  }

  func cut() {
    if case .written = phase { return }
    // The connection is already ending, and its end is about to be reported.
    if connection?.closeReason != nil { return }
    phase = .cut
    _ = lossAction.take()
    openConnection?.abortLater()
  }

  func onConnectionLost(_ action: @escaping () -> Void) {
    switch fate {
    case .open:
      if case .cut = phase { return }
      _ = lossAction.exchange(for: action)
    case .sent: break
    case .lost: afterThisCall(action)
    }
  }

  func onEnd(_ action: @escaping (HTTPServer.ResponseWriter.Outcome) -> Void) {
    if case .open = fate {
      _ = endAction.exchange(for: action)
      return
    }
    let outcome = outcome
    afterThisCall { action(outcome) }
  }

  /// The handler released its writer.
  func abandoned() {
    switch phase {
    // The end of the connection is about to be reported.
    case .waiting where connection?.closeReason != nil: break
    case .waiting:
      let status = body?.failure?.status ?? .internalServerError
      send(status, [:], "\(status.reason)\n".utf8)
    case .streaming: cut()
    case .written, .cut: break
    }
  }

  // MARK: - The end

  /// The kernel has taken the last byte.
  func sent() {
    guard case .open = fate else { return }
    fate = .sent
    countBody(until: end)
    tellEnd()
  }

  /// Sending a range of a file failed, so nothing can follow it.
  func fileFailed(_ reason: PumpError.Reason) {
    fileFailure = reason
    // The client expects more bytes.
    connection?.abortLater()
  }

  /// The connection has ended.
  func connectionLost() {
    guard case .open = fate, let connection else { return }
    fate = .lost
    countBody(until: connection.output.sentByteCount)
    let action = lossAction
    action?()
    tellEnd()
  }

  private func countBody(until place: Int64) {
    if let bodyStart { bodyByteCount = max(0, place - bodyStart) }
  }

  private func tellEnd() {
    let connection = connection
    let action = endAction
    (endAction, lossAction, self.connection) = (nil, nil, nil)
    action?(outcome)
    connection?.server?.responseEnded(self)
  }

  var outcome: HTTPServer.ResponseWriter.Outcome {
    HTTPServer.ResponseWriter.Outcome(
      status: status, bodyByteCount: bodyByteCount, isComplete: fate == .sent,
      fileFailure: fileFailure)
  }
}

extension Exchange {
  /// The connection to write to; nil once the response is sent or the client is gone.
  private var openConnection: ServerConnection? {
    guard case .open = fate else { return nil }
    connection?.checkThread()
    return connection
  }

  private func check(
    _ status: HTTPStatus, _ headers: HeaderFields
  ) -> HeaderFields.Notable {
    require(!isStarted, "ResponseWriter: a request has one response")
    require(status.code >= 200, "ResponseWriter: the status of a response is 200 or more")
    let notable = headers.notable
    require(
      notable.isDisjoint(with: [.contentLength, .transferEncoding]),
      "ResponseWriter: the writer sets the length of a response, not its header fields")
    self.status = status
    return notable
  }

  private func writeHead(
    _ status: HTTPStatus, _ headers: HeaderFields, _ notable: HeaderFields.Notable,
    _ framing: ResponseFraming, followingByteCount: Int, isWhole: Bool,
    to connection: ServerConnection
  ) {
    let isClosedByHandler =
      notable.contains(.connection) && headers.connectionIsToClose
    endsConnection =
      isClosedByHandler || !terms.keepsAlive
      || connection.mustEnd(after: self, isWhole: isWhole)
    if case .connection = framing { endsConnection = true }
    let headers = endsConnection && notable.contains(.connection) ? headers.toClose : headers
    connection.watchPace()
    var announcement: StaticString?
    if !isClosedByHandler {
      if endsConnection {
        announcement = "close"
      } else if terms.minorVersion == 0 {
        announcement = "keep-alive"
      }
    }
    connection.output.write(
      ResponseHead(
        status: status, headers: headers, hasDate: notable.contains(.date), framing: framing,
        connection: announcement),
      followingByteCount: followingByteCount)
  }

  private func finishWriting(_ connection: ServerConnection) {
    phase = .written
    end = connection.output.isOpen ? connection.output.writtenByteCount : .max
    connection.responseWritten(self)
  }

  /// Makes the call once the current call of the loop has returned.
  private func afterThisCall(_ call: @escaping () -> Void) {
    core.complete(call)
  }

  /// Subtracts a piece from the content length and returns how its bytes are sent.
  private func countDown(_ byteCount: Int64) -> Framing {
    guard case .streaming(let remaining, let framing) = phase else {
      if case .cut = phase { return .omitted }
      trap("ResponseWriter: write must come between start and end")
    }
    if let remaining {
      require(byteCount <= remaining, "ResponseWriter: the body is longer than its content length")
      phase = .streaming(remaining: remaining - byteCount, framing)
    }
    return framing
  }
}
