internal import PosixAIO
internal import Reactor
internal import SystemPackage

/// A client's connection to a server: reads requests one after the other, and sends their
/// responses in the same order.
///
/// A request is read when the response to the one before is written and that one's body is through.
/// What a client sends ahead waits in the connection's input, up to its high-water mark, and then
/// in the kernel.
@safe
final class ServerConnection {
  private enum Phase {
    /// Reads a head or waits for one.
    case head
    /// Has a request in progress.
    case exchange(Exchange)
    /// Sends what is written and closes, or is closed.
    case over
  }

  /// What is done for one connection before others get their turn: requests and pieces of bodies.
  private static let stepsPerTurn = 16

  /// The most bytes of responses that may wait when another request is begun.
  private static let outputLimitForNext = 256 * 1024

  /// The most responses that may wait when another request is begun: each keeps the head of its
  /// request, which may be as long as a hundred responses.
  private static let unsentLimitForNext = 64

  let core: LoopCore
  private let connection: Connection
  /// Looks at this connection, among others.
  private let looks: RecurringLook
  /// Where responses are written to.
  let output: ResponseOutput
  /// Nil once the server goes.
  #if !DEBUG
    @safe @exclusivity(unchecked)
  #endif
  unowned var server: HTTPServer?

  #if !DEBUG
    @safe @exclusivity(unchecked)
  #endif
  private var parser: HeadParser
  private var phase = Phase.head
  /// Those that are written and not sent.
  #if !DEBUG
    @safe @exclusivity(unchecked)
  #endif
  private var unsent = FIFO<Exchange>()
  private var isProceeding = false
  private var isProceedingLater = false
  private var pace = ClientPace()
  private var requestCount = 0
  /// How often all that was written had been sent, and what that was.
  private var drainCount = 0
  private var sentBeforeSending: Int64 = 0

  /// All bytes of requests that were taken from the connection so far.
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

  /// Does what can be done with what has arrived. Calls the user, and so is never called from
  /// inside a call of theirs.
  private func proceed() {
    guard !isProceeding else { return }
    isProceeding = true
    var steps = 0
    while steps < Self.stepsPerTurn, step() { steps += 1 }
    isProceeding = false
    if steps == Self.stepsPerTurn { proceedLater() }
    watchPace()
  }

  /// Goes on in the next turn, when whoever calls this has returned.
  func proceedLater() {
    if isProceeding || isProceedingLater { return }
    isProceedingLater = true
    core.callNextTurn { [self] in
      isProceedingLater = false
      proceed()
    }
  }

  /// - Returns: Whether there may be more to do.
  private func step() -> Bool {
    // The user may have ended it a moment ago. Its input is gone, and it is about to tell.
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
        // After the last request, or in the middle of one that nobody can respond to.
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

  /// Responds to what is no request, and closes.
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

  /// The response is written; perhaps the body is not through.
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

  /// Whether the connection can't go on behind a response that begins now.
  func mustEnd(behind exchange: Exchange, isWhole: Bool) -> Bool {
    guard let server, !server.isShuttingDown, exchange.request != nil else { return true }
    return exchange.body?.endsConnection(isWhole: isWhole) ?? false
  }

  /// The last byte of a response is written, perhaps by the handler in the middle of its call.
  func responseWritten(_ exchange: Exchange) {
    unsent.append(exchange)
    // Its bytes may have been sent before its end was known, and no progress tells it then.
    if exchange.end <= connection.sentByteCount {
      core.callNextTurn { [self] in outputProgressed() }
    }
    looks.wantSoon()
    if isProceeding { return }
    if exchange.endsConnection {
      return exchange.body?.isBeingRead == true ? proceedLater() : closeGracefully()
    }
    // As a rule there is nothing more to do, and so no need to come back in another turn.
    if exchange.request != nil, exchange.body?.isThrough ?? true,
      connection.inputByteCount == 0, !connection.hasEnded
    {
      phase = .head
    } else {
      proceedLater()
    }
  }

  private func closeGracefully() {
    // Nothing more of it is read, and whoever waits for it, or will, is told so by the loop.
    if case .exchange(let exchange) = phase, let body = exchange.body, !body.isThrough {
      core.callNextTurn { body.connectionClosed(.local) }
    }
    phase = .over
    // The pace of the client bounds it, as long as there is a server to look at that.
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

  /// A range of a file could not be sent. It belongs to the first response that is not sent.
  private func outputFailed(_ reason: PumpError.Reason) {
    if let exchange = unsent.first {
      exchange.fileFailed(reason)
    } else if case .exchange(let exchange) = phase {
      exchange.fileFailed(reason)
    }
  }

  // MARK: - The body of the request in progress

  /// Shows what is unread; the body says how much of it is consumed.
  func consume(_ body: (RawSpan) -> Int) {
    connection.consume { bytes in
      let count = body(bytes)
      consumedByteCount += Int64(count)
      return count
    }
  }

  /// Somebody waits for the body's next bytes.
  func bodyIsAwaited(isReadable: Bool) {
    if isReadable || connection.inputByteCount > 0 || connection.hasEnded { proceedLater() }
    watchPace()
  }

  /// Nobody reads the body any more; where the response is written, the next request is due.
  func bodyIsThrough() {
    if case .exchange(let exchange) = phase, exchange.isWritten { proceedLater() }
  }

  var inputHasEnded: Bool { connection.hasEnded }
  var closeReason: Connection.CloseReason? { connection.endReason }

  /// Tells the client to send its body, if nothing else was told.
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

  /// Somebody waits for the client from now on.
  func watchPace() {
    looks.wantSoon()
  }

  /// Looks whether the client takes too long, and ends what it takes too long for.
  ///
  /// - Returns: When the next look makes sense; nil is never.
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

  /// Closes the connection behind what was written so far, as far as the socket takes it at once.
  func abortLater() {
    // The end of the turn, when it is sent, may be still to come.
    core.callNextTurn { [self] in abort() }
  }

  /// The server has ended: what was written is sent, and the client heard out.
  func serverHasEnded() {
    server = nil
    if case .over = phase { return }
    closeGracefully()
  }

  /// Sends what the socket takes, and closes.
  func abort() {
    connection.sendNow()
    connection.abort()
  }

  /// The server goes, and is told nothing any more.
  func serverIsGoing() {
    server = nil
    abort()
  }

  private func closed(_ reason: Connection.CloseReason) {
    let ended = phase
    phase = .over
    var lost: [Exchange] = []
    // What was sent by then is sent.
    outputProgressed()
    while let exchange = unsent.popFirst() { lost.append(exchange) }
    if case .exchange(let exchange) = ended, !exchange.isWritten { lost.append(exchange) }
    if case .exchange(let exchange) = ended { exchange.body?.connectionClosed(reason) }
    for exchange in lost { exchange.connectionLost() }
    server?.connectionClosed(connection)
    server = nil
  }
}
