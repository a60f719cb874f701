internal import PosixAIO
internal import Reactor
internal import SystemPackage

/// The connection of a client: reads requests one after another and sends their responses in the
/// same order.
///
/// The next request is read once the previous response is written and the previous body is read or
/// dropped. Bytes that a client sends earlier wait in the input of the connection, up to its
/// high-water mark, and then in the kernel.
@safe
final class ServerConnection {
  private enum Phase {
    /// Reads or waits for a head.
    case head
    /// Has a request in progress.
    case exchange(Exchange)
    /// Sends the remaining output and closes, or is closed.
    case over
  }

  /// The steps for one connection per turn: requests and pieces of bodies.
  private static let stepsPerTurn = 16

  /// The most bytes of unsent responses with which another request begins.
  private static let outputLimitForNext = 256 * 1024

  /// The most unsent responses with which another request begins. Each one keeps the head of its
  /// request, which may be as long as a hundred responses.
  private static let unsentLimitForNext = 64

  let core: LoopCore
  private let connection: Connection
  /// Checks this connection, among others.
  private let looks: RecurringLook
  /// The output for responses.
  let output: ResponseOutput
  /// Nil once the server is gone.
  #if !DEBUG
    @safe @exclusivity(unchecked)
  #endif
  unowned var server: HTTPServer?

  #if !DEBUG
    @safe @exclusivity(unchecked)
  #endif
  private var parser: HeadParser
  private var phase = Phase.head
  /// Exchanges whose response is written but not sent.
  #if !DEBUG
    @safe @exclusivity(unchecked)
  #endif
  private var unsent = FIFO<Exchange>()
  private var isProceeding = false
  private var isProceedingLater = false
  private var pace = ClientPace()
  private var requestCount = 0
  /// How many times the output has drained, and the bytes sent by the last time.
  private var drainCount = 0
  private var sentBeforeSending: Int64 = 0

  /// The bytes of requests consumed so far.
  private var consumedByteCount: Int64 = 0

  init(_ connection: Connection, _ server: HTTPServer) {
    self.connection = connection
    output = ResponseOutput(connection, server.heads)
    self.server = server
    looks = server.looks
    core = server.core
    parser = HeadParser(server.configuration.headLimits)
    connection.onInput = { [unowned self] in proceed() }
    connection.onProgress = { [unowned self] in outputProgressed() }
    connection.onOutputFailure = { [unowned self] in outputFailed($0) }
    connection.onClose = { [self] _, reason in closed(reason) }
  }

  var peerAddress: SocketAddress { connection.peerAddress }

  func checkThread() { core.checkThread() }

  // MARK: - Requests

  /// Processes the input that has arrived. This calls the handler, so it is never called from
  /// inside a call of the handler.
  private func proceed() {
    guard !isProceeding else { return }
    isProceeding = true
    var steps = 0
    while steps < Self.stepsPerTurn, step() { steps += 1 }
    isProceeding = false
    if steps == Self.stepsPerTurn { proceedLater() }
    watchPace()
  }

  /// Calls ``proceed()`` in the next turn, after the current callers have returned.
  func proceedLater() {
    if isProceeding || isProceedingLater { return }
    isProceedingLater = true
    core.later { [self] in
      isProceedingLater = false
      proceed()
    }
  }

  /// - Returns: Whether there may be more to do.
  private func step() -> Bool {
    // The handler may have just ended the connection. Its input is gone, and its end is about to be
    // reported.
    guard connection.endReason == nil else { return false }
    switch phase {
    case .over: return false
    case .head: return readHead()
    case .exchange(let exchange):
      guard exchange.request != nil else {
        closeGracefully()
        return false
      }
      if let body = exchange.body, body.resumeReader() { return true }
      guard exchange.isWritten else { return false }
      return finish(exchange)
    }
  }

  private func readHead() -> Bool {
    guard connection.unsentByteCount <= Self.outputLimitForNext,
      unsent.count < Self.unsentLimitForNext
    else { return false }
    do throws(RequestError) {
      let head = try connection.withUnreadBytes { bytes throws(RequestError) in
        try parser.parse(bytes)
      }
      guard let head else {
        // The input ended after the last request, or inside an incomplete one.
        if connection.hasEnded { closeGracefully() }
        return false
      }
      connection.consume { _ in head.byteCount }
      begin(head)
    } catch {
      refuse(error)
    }
    return true
  }

  private func begin(_ head: RequestHead) {
    guard let server else { return }
    requestCount += 1
    consumedByteCount += Int64(head.byteCount)
    let limit = server.configuration.bodyByteLimit
    let body =
      head.framing.isEmpty
      ? nil
      : HTTPServer.RequestBody(
        head, self, limit: limit, trailerLimits: server.configuration.headLimits)
    let terms = Exchange.Terms(
      method: head.method, minorVersion: head.minorVersion,
      keepsAlive: head.keepsAlive && head.method != .connect)
    let exchange = Exchange(
      HTTPServer.Request(head, body, from: self), body, terms, self)
    phase = .exchange(exchange)
    if let length = body?.contentLength, length > limit {
      server.refuse(exchange, .bodyTooLarge)
    } else {
      server.begin(exchange)
    }
  }

  /// Responds to an invalid request and closes the connection.
  private func refuse(_ error: RequestError) {
    guard let server else { return }
    let line = connection.withUnreadBytes { Self.firstLine($0) }
    let terms = Exchange.Terms(method: nil, minorVersion: 1, keepsAlive: false)
    let exchange = Exchange(nil, nil, refusedLine: line, terms, self)
    phase = .exchange(exchange)
    server.refuse(exchange, error)
  }

  private static let longestLoggedLine = 2048

  private static func firstLine(_ bytes: RawSpan) -> String {
    let shown = Span<UInt8>(_bytes: bytes).extracting(first: longestLoggedLine)
    var line: [UInt8] = []
    for index in shown.indices {
      let byte = shown[index]
      if byte == UInt8(ascii: "\r") || byte == UInt8(ascii: "\n") {
        if line.isEmpty { continue }
        break
      }
      line.append(byte)
    }
    return String(decoding: line, as: UTF8.self)
  }

  /// The response is written; its request body may be unread.
  private func finish(_ exchange: Exchange) -> Bool {
    if exchange.endsConnection, exchange.body?.isBeingRead != true {
      closeGracefully()
      return false
    }
    switch exchange.body?.drop() ?? .isThrough {
    case .isThrough:
      guard !exchange.endsConnection else {
        closeGracefully()
        return false
      }
      phase = .head
      return true
    case .needsMore: return false
    case .isTooMuch:
      closeGracefully()
      return false
    }
  }

  /// Whether the connection must end after a response that begins now.
  func mustEnd(after exchange: Exchange, isWhole: Bool) -> Bool {
    guard let server, !server.isShuttingDown, exchange.request != nil else { return true }
    return exchange.body?.endsConnection(isWhole: isWhole) ?? false
  }

  /// The last byte of a response is written, possibly from inside a call of the handler.
  func responseWritten(_ exchange: Exchange) {
    unsent.append(exchange)
    // Its bytes may have been sent before its end was known. Then no progress reports it.
    if exchange.end <= connection.sentByteCount { core.later { [self] in outputProgressed() } }
    looks.wantSoon()
    if isProceeding { return }
    if exchange.endsConnection {
      return exchange.body?.isBeingRead == true ? proceedLater() : closeGracefully()
    }
    // Usually there is nothing more to do, so no further turn is needed.
    if exchange.request != nil, exchange.body?.isThrough ?? true,
      connection.inputByteCount == 0, !connection.hasEnded
    {
      phase = .head
    } else {
      proceedLater()
    }
  }

  private func closeGracefully() {
    // No more of the body is read. The loop reports that to its current and later readers.
    if case .exchange(let exchange) = phase, let body = exchange.body, !body.isThrough {
      core.later { body.connectionClosed(.local) }
    }
    phase = .over
    // The time limits for the client bound this, as long as a server checks them.
    if server == nil { connection.close() } else { connection.closeWhenSent() }
  }

  // MARK: - Output

  private func outputProgressed() {
    let sent = connection.sentByteCount
    if connection.pendingByteCount == 0 {
      drainCount += 1
      sentBeforeSending = sent
    }
    while let first = unsent.first, first.end <= sent {
      _ = unsent.popFirst()
      first.sent()
    }
    if case .head = phase, connection.inputByteCount > 0 || connection.hasEnded { proceed() }
  }

  /// Sending a range of a file failed. The range belongs to the first unsent response.
  private func outputFailed(_ reason: PumpError.Reason) {
    if let exchange = unsent.first {
      exchange.fileFailed(reason)
    } else if case .exchange(let exchange) = phase {
      exchange.fileFailed(reason)
    }
  }

  // MARK: - The body of the request in progress

  /// Calls `body` with the unread bytes; it returns how many of them it consumed.
  func consume(_ body: (RawSpan) -> Int) {
    connection.consume { bytes in
      let count = body(bytes)
      consumedByteCount += Int64(count)
      return count
    }
  }

  /// A reader waits for the next bytes of the body.
  func bodyIsAwaited(isReadable: Bool) {
    if isReadable || connection.inputByteCount > 0 || connection.hasEnded { proceedLater() }
    watchPace()
  }

  /// The body is no longer read. If the response is written, the next request can begin.
  func bodyIsThrough() {
    if case .exchange(let exchange) = phase, exchange.isWritten { proceedLater() }
  }

  var inputHasEnded: Bool { connection.hasEnded }
  var closeReason: Connection.CloseReason? { connection.endReason }

  /// Sends a 100 if the response has not begun.
  func sendContinue() {
    if case .exchange(let exchange) = phase, !exchange.isStarted {
      output.write("HTTP/1.1 100 Continue\r\n\r\n")
    }
  }

  // MARK: - Pace

  private var activity: ClientActivity {
    let kind: ClientActivity.Kind =
      switch phase {
      case _ where connection.endReason != nil: .none
      case _ where connection.unsentByteCount > 0: .sending
      case .over: .none
      case .head: parser.hasBegun ? .receiving : .idle
      case .exchange(let exchange): exchange.body?.isAwaited == true ? .receiving : .none
      }
    return ClientActivity(kind: kind, number: kind == .sending ? drainCount : requestCount)
  }

  /// The connection waits for the client from now on.
  func watchPace() {
    looks.wantSoon()
  }

  /// Checks whether the client has exceeded a time limit, and ends the wait if so.
  ///
  /// - Returns: When the next check is due; nil if none is needed.
  func look(_ now: ContinuousClock.Instant) -> ContinuousClock.Instant? {
    guard let limits = server?.configuration else { return nil }
    let activity = activity
    let moved =
      activity.kind == .sending
      ? connection.acknowledgedByteCount : consumedByteCount + Int64(connection.inputByteCount)
    let start = activity.kind == .sending ? min(moved, sentBeforeSending) : moved
    if pace.isTooSlow(now, activity, byteCount: moved, from: start, limits) {
      tooSlow(activity.kind)
      return nil
    }
    switch activity.kind {
    case .none: return nil
    case .idle: return pace.idleDeadline(limits)
    case .receiving, .sending: return now
    }
  }

  private func tooSlow(_ kind: ClientActivity.Kind) {
    switch (kind, phase) {
    case (.receiving, .head): refuse(.timedOut)
    case (.receiving, .exchange(let exchange)):
      exchange.body?.timedOut()
      if exchange.isWritten { closeGracefully() }
    case (.idle, _): closeGracefully()
    default: connection.abort()
    }
  }

  // MARK: - The end

  /// Closes the connection after sending the bytes that the socket accepts immediately.
  func abortLater() {
    // The output of this turn may not be sent yet; that happens at the end of the turn.
    core.later { [self] in abort() }
  }

  /// The server has ended: sends the remaining output, then lingers until the client closes.
  func serverHasEnded() {
    server = nil
    if case .over = phase { return }
    closeGracefully()
  }

  /// Sends the bytes that the socket accepts now, and closes.
  func abort() {
    connection.sendNow()
    connection.abort()
  }

  /// The server is being released.
  func serverIsGoing() {
    server = nil
    abort()
  }

  private func closed(_ reason: Connection.CloseReason) {
    let ended = phase
    phase = .over
    var lost: [Exchange] = []
    // Bytes that were sent by now count as sent.
    outputProgressed()
    while let exchange = unsent.popFirst() { lost.append(exchange) }
    if case .exchange(let exchange) = ended, !exchange.isWritten { lost.append(exchange) }
    if case .exchange(let exchange) = ended { exchange.body?.connectionClosed(reason) }
    for exchange in lost { exchange.connectionLost() }
    server?.connectionClosed(connection)
    server = nil
  }
}
