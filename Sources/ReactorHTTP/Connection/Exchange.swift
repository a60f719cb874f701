internal import PosixAIO
internal import Reactor

/// A request and its response: the part of a response writer that the connection knows.
///
/// It begins with the request's head, and ends when the kernel has taken the last byte of the
/// response, or the connection has ended before. The next request of the connection may begin when
/// the response is written; so a connection may have several that wait to be sent, and one at most
/// that is being written.
final class Exchange {
  private enum Phase {
    case waiting
    case streaming(remaining: Int64?, Framing)
    case written
    /// The connection is about to be closed in the middle of the response.
    case cut
  }

  /// How the pieces of a body go out.
  private enum Framing {
    case plain
    case chunked
    /// Not at all: `HEAD`, and statuses without a body.
    case omitted
  }

  enum Fate {
    case open
    case sent
    case lost
  }

  /// What the response depends on.
  struct Terms {
    let isHead: Bool
    let minorVersion: Int
    /// Whether the client wants the connection to go on.
    let keepsAlive: Bool
  }

  /// Nil for a request that was refused before its head was understood.
  let request: HTTPServer.Request?
  /// What a refused request begins with.
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

  /// What the kernel has taken of the body, by whole pieces.
  private var bodyByteCount: Int64 = 0
  /// A body that was copied, and where it begins in what the connection sends.
  private var copiedBody: (start: Int64, byteCount: Int)?

  /// Whether the connection ends behind this response.
  private(set) var endsConnection = false
  /// Where the response ends in what the connection sends; set when it is written. Never reached
  /// where it was written to a connection that is closed already.
  private(set) var end: Int64 = 0

  init(
    _ request: HTTPServer.Request?, refusedLine: String = "", _ terms: Terms,
    _ connection: ServerConnection
  ) {
    self.request = request
    self.refusedLine = refusedLine
    self.terms = terms
    self.connection = connection
    peerAddress = connection.peerAddress
    core = connection.core
  }

  var isStarted: Bool {
    if case .waiting = phase { false } else { true }
  }

  /// Whether nothing more will be written.
  var isWritten: Bool {
    if case .written = phase { true } else { false }
  }

  /// Whether what is written now goes nowhere.
  private var isLost: Bool {
    if case .cut = phase { true } else { fate == .lost }
  }

  // MARK: - Writing

  func send(_ status: HTTPStatus, _ headers: HeaderFields, _ body: some Collection<UInt8>) {
    let notable = check(status, headers)
    guard let connection = openConnection else { return phase = .written }
    let isBodySent = status.allowsBody && !terms.isHead
    let length = status.allowsBody ? Int64(body.count) : nil
    writeHead(status, headers, notable, .length(length), isWhole: true, to: connection)
    if isBodySent {
      copiedBody = (connection.output.writtenByteCount, body.count)
      connection.output.write(body)
    }
    finishWriting(connection)
  }

  func start(_ status: HTTPStatus, _ headers: HeaderFields, contentLength: Int64?) {
    require(contentLength ?? 0 >= 0, "ResponseWriter: a content length is 0 or more")
    let notable = check(status, headers)
    let isBodySent = status.allowsBody && !terms.isHead
    let isChunked = contentLength == nil && isBodySent && terms.minorVersion > 0
    phase = .streaming(
      remaining: contentLength, !isBodySent ? .omitted : isChunked ? .chunked : .plain)
    guard let connection = openConnection else { return }
    let framing: ResponseFraming =
      switch contentLength {
      case let length?: .length(status.allowsBody ? length : nil)
      case nil: isChunked ? .chunked : isBodySent ? .connection : .length(nil)
      }
    writeHead(status, headers, notable, framing, isWhole: false, to: connection)
  }

  func write(
    _ buffer: consuming IOBuffer,
    _ whenSent: @escaping (HTTPServer.ResponseWriter.Delivery, consuming IOBuffer) -> Void
  ) {
    let byteCount = buffer.count
    let framing = countDown(Int64(byteCount))
    guard let connection, case .open = fate, framing != .omitted, byteCount > 0 else {
      let held = Held(buffer)
      return afterThis { [self] in
        guard let buffer = held.take() else { return }
        whenSent(isLost ? .connectionLost : .sent, buffer)
      }
    }
    connection.checkThread()
    connection.watchPace()
    if framing == .chunked { connection.output.writeChunkSize(byteCount) }
    connection.output.write(buffer) { [self] isSent, buffer in
      if isSent { bodyByteCount += Int64(byteCount) }
      whenSent(isSent ? .sent : .connectionLost, buffer)
    }
    if framing == .chunked { connection.output.write("\r\n") }
  }

  func write(
    _ file: File, _ range: Range<Int64>,
    _ whenSent: @escaping (Result<Int64, PumpError>) -> Void
  ) {
    let byteCount = range.upperBound - range.lowerBound
    let framing = countDown(byteCount)
    guard let connection, case .open = fate, framing != .omitted, byteCount > 0 else {
      return afterThis { [self] in
        whenSent(isLost ? .failure(.ofLostConnection) : .success(byteCount))
      }
    }
    connection.checkThread()
    connection.watchPace()
    if framing == .chunked { connection.output.writeChunkSize(Int(byteCount)) }
    connection.output.write(file, range) { [self] result in
      switch result {
      case .success(let count): bodyByteCount += count
      case .failure(let error):
        bodyByteCount += error.byteCountDone
        // The client was promised these bytes, and nothing can follow them.
        self.connection?.abortLater()
      }
      whenSent(result)
    }
    if framing == .chunked { connection.output.write("\r\n") }
  }

  func finish() {
    guard case .streaming(let remaining, let framing) = phase else {
      trap(
        "ResponseWriter: end is for a response that was started and has not ended")
    }
    // The client was promised more; only a broken connection can tell it.
    if framing != .omitted, let remaining, remaining > 0 { return cut() }
    guard let connection = openConnection else { return phase = .written }
    if framing == .chunked { connection.output.write("0\r\n\r\n") }
    finishWriting(connection)
  }

  func cut() {
    if case .written = phase { return }
    // It ends already, and whoever wants to know is about to be told.
    if connection?.closeReason != nil { return }
    phase = .cut
    lossAction = nil
    openConnection?.abortLater()
  }

  func onConnectionLost(_ action: @escaping () -> Void) {
    switch fate {
    case .open:
      if case .cut = phase { return }
      lossAction = action
    case .sent: break
    case .lost: afterThis(action)
    }
  }

  func onEnd(_ action: @escaping (HTTPServer.ResponseWriter.Outcome) -> Void) {
    if case .open = fate { return endAction = action }
    let outcome = outcome
    afterThis { action(outcome) }
  }

  /// The handler let go of its writer.
  func abandoned() {
    switch phase {
    case .waiting:
      let status = request?.body.failure?.status ?? .internalServerError
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
    if let copiedBody { bodyByteCount += Int64(copiedBody.byteCount) }
    tellEnd()
  }

  /// The connection has ended.
  func connectionLost() {
    guard case .open = fate, let connection else { return }
    fate = .lost
    if let copiedBody {
      let count = connection.output.sentByteCount - copiedBody.start
      bodyByteCount += min(max(0, count), Int64(copiedBody.byteCount))
    }
    let action = lossAction
    action?()
    tellEnd()
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
      status: status, bodyByteCount: bodyByteCount, isComplete: fate == .sent)
  }
}

extension Exchange {
  /// What a response is written to; nil when it is out, or the client is gone.
  private var openConnection: ServerConnection? {
    guard case .open = fate else { return nil }
    connection?.checkThread()
    return connection
  }

  private func check(
    _ status: HTTPStatus, _ headers: HeaderFields
  ) -> HeaderFields.Notable {
    require(!isStarted, "ResponseWriter: a request is answered once")
    require(status.code >= 200, "ResponseWriter: a response's status is 200 or more")
    let notable = headers.notable
    require(
      notable.isDisjoint(with: [.contentLength, .transferEncoding]),
      "ResponseWriter: the length of a response is set by the writer, not by its header fields")
    self.status = status
    return notable
  }

  private func writeHead(
    _ status: HTTPStatus, _ headers: HeaderFields, _ notable: HeaderFields.Notable,
    _ framing: ResponseFraming, isWhole: Bool, to connection: ServerConnection
  ) {
    let isClosedByHandler =
      notable.contains(.connection) && headers.connectionIsToClose
    endsConnection =
      isClosedByHandler || !terms.keepsAlive
      || connection.mustEnd(behind: self, isWhole: isWhole)
    if case .connection = framing { endsConnection = true }
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
        connection: announcement))
  }

  private func finishWriting(_ connection: ServerConnection) {
    phase = .written
    end = connection.output.isOpen ? connection.output.writtenByteCount : .max
    connection.responseWritten(self)
  }

  /// Has the loop make a call after what it is doing.
  private func afterThis(_ call: @escaping () -> Void) {
    core.complete(call)
  }

  /// Takes a piece off the announced length; tells how its bytes go out.
  private func countDown(_ byteCount: Int64) -> Framing {
    guard case .streaming(let remaining, let framing) = phase else {
      if case .cut = phase { return .omitted }
      trap("ResponseWriter: write comes between start and end")
    }
    if let remaining {
      require(byteCount <= remaining, "ResponseWriter: more bytes than the content length")
      phase = .streaming(remaining: remaining - byteCount, framing)
    }
    return framing
  }
}
