import Logging
import PosixAIO
import Reactor
import SystemPackage

/// A client. Its requests run as they arrive, and the replies are sent in the same order.
///
/// A reply that depends on a change waits until that change is committed, and every later reply
/// waits too. Replies that wait for the batch in flight and for the pending batch are kept apart.
final class Client {
  /// Replies that wait for a batch.
  private struct DelayedReplies {
    var bytes: Bytes = []
    /// The ranges of replies that are untrue if the batch fails.
    var dependent: [Range<Int>] = []

    var isEmpty: Bool { bytes.isEmpty }

    /// The replies with each dependent one replaced by an error.
    func failed(_ error: Bytes) -> Bytes {
      var failed: Bytes = []
      var offset = 0
      for range in dependent {
        failed += bytes[offset..<range.lowerBound]
        failed += error
        offset = range.upperBound
      }
      return failed + bytes[offset...]
    }
  }

  private enum State {
    case serving
    /// Accepts no more requests, and closes after the last reply.
    case ending
    case closed
  }

  private static let directByteCount = 64 * 1024
  /// After this many bytes of replies, other clients have their turn.
  private static let turnByteCount = 4 * 1024 * 1024
  /// While this many bytes of replies wait for the log, no more requests are accepted.
  private static let delayedByteLimit = 1024 * 1024

  let connection: Connection
  private unowned let server: Server
  private let call: Call
  private var parser = RequestParser()
  var session: Session
  private var state = State.serving

  /// Replies that wait for no batch, until they are sent together.
  private var direct: Bytes = []
  private var inFlight = DelayedReplies()
  private var pending = DelayedReplies()

  /// A congested client's requests are accepted while it has fewer unread bytes than this. Grows
  /// while it reads nothing: it may be unable to read before it has sent everything.
  private var unreadByteLimit = 0
  private var writtenByteCount = 0
  /// The sent bytes when progress was last checked; nil if it is not being checked.
  private var checkedByteCount: Int?
  /// This client's part of the server's ``ClientMemory``.
  var countedByteCount = 0

  init(_ connection: Connection, id: Int, _ server: Server, _ call: Call) {
    self.connection = connection
    self.server = server
    self.call = call
    session = Session(id: id, isAuthenticated: server.password == nil)
    limitRequests()
    connection.onReceive = { [unowned self] _, bytes in receive(bytes) }
    connection.onEndOfInput = { [unowned self] _ in end() }
    connection.onDrained = { [unowned self] _ in
      unreadByteLimit = 0
      updateReceiving()
    }
    connection.onClose = { [self] _, _ in
      state = .closed
      inFlight = DelayedReplies()
      pending = DelayedReplies()
      unwatch(self.server.database)
      self.server.remove(self)
    }
  }

  // MARK: - Requests

  private func receive(_ bytes: RawSpan) -> Int {
    call.database.now = .now()
    session.lastRequest = call.database.now
    call.begin(self)
    defer { session.lastCommand = call.end() }
    var offset = 0
    let turnEnd = writtenByteCount + Self.turnByteCount
    do throws(RequestParser.ProtocolError) {
      while canTakeMore, writtenByteCount < turnEnd,
        let request = try parser.next(in: bytes, at: &offset)
      {
        run(request)
      }
    } catch {
      call.reply.removeAll()
      call.reply.error("ERR Protocol error: \(error.reason)")
      enqueue(call.reply.bytes, .committed)
      end()
    }
    sendDirect()
    server.log.commit()
    updateReceiving()
    server.memory.update(self)
    // The turn was used up.
    if canTakeMore, offset < bytes.byteCount { connection.resumeReceiving() }
    return state == .serving ? offset : bytes.byteCount
  }

  private func run(_ request: [Bytes]) {
    server.statistics.commandCount += 1
    call.run(request, hasDelayedReplies ? .newest : .committed)
    enqueue(call.reply.bytes, call.database.durability)
    switch call.effect {
    case .none: break
    case .closing: end()
    case .rejecting:
      server.noteAttack(from: self)
      close()
    case .shuttingDown: server.shutDown()
    }
  }

  private var hasDelayedReplies: Bool { !inFlight.isEmpty || !pending.isEmpty }

  private var canTakeMore: Bool {
    state == .serving
      && (!connection.isCongested || connection.pendingByteCount < unreadByteLimit)
      && inFlight.bytes.count + pending.bytes.count < Self.delayedByteLimit
      && (pending.isEmpty || !server.isBatchFull)
  }

  /// Accepts only small requests before the password is given.
  func limitRequests() {
    parser.limits = session.isAuthenticated ? RequestParser.Limits() : .unauthenticated
  }

  /// Resumes or pauses receiving, depending on the state.
  func updateReceiving() {
    guard state == .serving, connection.isReceivingPaused == canTakeMore else { return }
    guard !canTakeMore else { return connection.resumeReceiving() }
    connection.pauseReceiving()
    guard connection.isCongested, checkedByteCount == nil else { return }
    checkedByteCount = sentByteCount
    server.congestedClients.append(self)
  }

  private var sentByteCount: Int { writtenByteCount - connection.pendingByteCount }

  /// Lets a client that has read nothing since the last check send more requests, once it has given
  /// the password.
  ///
  /// - Returns: Whether to check again.
  func checkProgress() -> Bool {
    guard state == .serving, connection.isCongested else {
      checkedByteCount = nil
      return false
    }
    if session.isAuthenticated, sentByteCount == checkedByteCount {
      unreadByteLimit = 2 * connection.pendingByteCount
    }
    checkedByteCount = sentByteCount
    updateReceiving()
    return true
  }

  var isClosed: Bool { if case .closed = state { true } else { false } }
  var incompleteByteCount: Int { parser.heldByteCount }
  var unreadByteCount: Int {
    connection.pendingByteCount + inFlight.bytes.count + pending.bytes.count
  }

  /// The memory of the client's replies and of its incomplete request, in bytes.
  var memoryByteCount: Int {
    guard state != .closed else { return 0 }
    return unreadByteCount + parser.memoryByteCount + session.memoryByteCount
  }

  /// Forgets the keys that the client watches.
  func unwatch(_ database: Database) {
    for key in session.watchedVersions.keys { database.watchedKeys.unwatch(key) }
    session.unwatchAll()
  }

  // MARK: - Replies

  private func enqueue(_ reply: Bytes, _ durability: Durability) {
    guard !reply.isEmpty else { return }
    if durability == .pending || !pending.isEmpty {
      if pending.isEmpty { server.pendingClients.append(self) }
      delay(reply, isDependent: durability != .committed, in: &pending)
    } else if durability == .inFlight || !inFlight.isEmpty {
      if inFlight.isEmpty { server.inFlightClients.append(self) }
      delay(reply, isDependent: durability != .committed, in: &inFlight)
    } else {
      direct += reply
      if direct.count >= Self.directByteCount { sendDirect() }
    }
  }

  private func delay(_ reply: Bytes, isDependent: Bool, in replies: inout DelayedReplies) {
    let start = replies.bytes.count
    replies.bytes += reply
    if isDependent { replies.dependent.append(start..<replies.bytes.count) }
  }

  private func sendDirect() {
    guard !direct.isEmpty else { return }
    send(direct)
    direct.removeAll(keepingCapacity: direct.count <= 2 * Self.directByteCount)
  }

  private func send(_ bytes: Bytes) {
    guard state != .closed else { return }
    do throws(Errno) {
      try unsafe connection.write(bytes.span.bytes)
      writtenByteCount += bytes.count
    } catch .noBufferSpace {
      let limit = connection.configuration.outputLimitByteCount
      disconnect("it does not read its replies, of which at most \(limit) bytes are held")
    } catch {
      // The client is already gone.
      connection.abort()
    }
  }

  /// Closes the connection at once, and logs the reason.
  func disconnect(_ reason: String) {
    server.logger.warning("closed client \(connection.peerAddress): \(reason)")
    close()
  }

  /// Closes the connection at once.
  func close() {
    state = .closed
    connection.abort()
  }

  /// The pending batch is now in flight.
  func didBeginBatch() {
    swap(&inFlight, &pending)
    updateReceiving()
  }

  /// The batch in flight is committed.
  func didCommit() {
    guard !inFlight.isEmpty else { return }
    send(inFlight.bytes)
    inFlight.bytes.removeAll(keepingCapacity: inFlight.bytes.count <= Self.directByteCount)
    inFlight.dependent.removeAll(keepingCapacity: true)
    didSendReplies()
  }

  /// Both batches were rolled back.
  func didFail(_ error: Bytes) {
    guard hasDelayedReplies else { return }
    send(inFlight.failed(error) + pending.failed(error))
    inFlight = DelayedReplies()
    pending = DelayedReplies()
    didSendReplies()
  }

  private func didSendReplies() {
    if state == .ending, !hasDelayedReplies { connection.close() }
    updateReceiving()
  }

  // MARK: - The end

  /// Accepts no more requests, and closes when all replies are sent.
  func end() {
    guard state == .serving else { return }
    state = .ending
    sendDirect()
    if !hasDelayedReplies { connection.close() }
  }
}
