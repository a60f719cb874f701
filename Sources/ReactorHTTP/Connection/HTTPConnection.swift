internal import CLibevent
internal import CLibeventExtra
internal import Glibc
internal import Reactor

/// One client's connection, from `accept` to its end.
///
/// evhttp owns the connection; this object watches it. **Reading is off while a request is being
/// answered.** evhttp would have it on, to notice when the client hangs up, and that has three
/// effects that a file server can't have: the read time-out cuts every answer that takes longer,
/// since a client is silent while it downloads; what a client sends meanwhile piles up in memory;
/// and a client that has closed its sending side gets no answer. The price is that a client's
/// going is noticed when something is written to it, not before.
@safe
final class HTTPConnection {
  private enum Phase {
    /// evhttp reads a request or waits for one, or answers one by itself that it does not like.
    case receiving
    case answering(Exchange)
    case cut
  }

  /// Bytes on their way.
  private struct Movement {
    /// When somebody first looked how long they take. Most are through by then, and nobody asks the
    /// clock for those.
    private var start: ContinuousClock.Instant?
    private var byteCount = 0

    init(_ former: Movement?, _ byteCount: Int) {
      if let former { self = former }
      self.byteCount += byteCount
    }

    mutating func isSlow(
      _ now: ContinuousClock.Instant, limit: Duration, byteRate: Int
    ) -> Bool {
      guard let start else {
        start = now
        return false
      }
      return now - start - .seconds(byteCount / byteRate) > limit
    }
  }

  /// The request that is on its way.
  private var reception: Movement?

  /// What the client has not taken yet, since its output was last empty.
  private var backlog: Movement?

  /// Bytes per system call; libevent's own 16 KiB would take four rounds of the loop for a buffer
  /// of 64 KiB.
  static let maximumByteCountPerWrite = 256 * 1024
  private static let maximumByteCountPerRead = 64 * 1024

  /// The bufferevent.
  let stream: OpaquePointer

  /// evhttp's connection, once adopted.
  private var evhttpConnection: OpaquePointer?
  private var hold: ReadingHold?
  private var phase = Phase.receiving

  // The server outlives its connections, but is in its `deinit` when it closes the last ones;
  // a checked reference to it would trap there.
  private unowned(unsafe) let uncheckedServer: HTTPServer
  private var server: HTTPServer { unsafe uncheckedServer }

  init(_ stream: OpaquePointer, server: HTTPServer) {
    unsafe self.stream = stream
    unsafe uncheckedServer = server
    unsafe bufferevent_set_max_single_write(stream, Self.maximumByteCountPerWrite)
    unsafe bufferevent_set_max_single_read(stream, Self.maximumByteCountPerRead)
  }

  /// Finds evhttp's connection: it is the context of the callbacks that evhttp has set.
  func adopt() {
    var context: UnsafeMutableRawPointer?
    unsafe bufferevent_getcb(stream, nil, nil, nil, &context)
    guard let context = unsafe context else {
      preconditionFailure("HTTPServer: evhttp has set no callbacks on a connection")
    }
    let found = OpaquePointer(context)
    unsafe evhttpConnection = found
    unsafe setCallbacks(of: found, to: self)
    hold = unsafe ReadingHold(stream, server.core)
    hold?.hold()
  }

  /// A request has arrived, and is to be answered by `exchange`.
  func begin(_ exchange: Exchange) {
    reception = nil
    phase = .answering(exchange)
  }

  /// The answer was handed to the kernel; evhttp goes on to the next request or closes.
  func finish() {
    phase = .receiving
    hold?.hold()
    server.answerEnded()
  }

  func checkThread() { server.core.checkThread() }

  func dateLine() -> [UInt8] { server.dateLine.now() }

  var isServerShuttingDown: Bool { server.isShuttingDown }

  /// Keeps evhttp from reading until the answer is out. To be called after each of its calls that
  /// write.
  func stopReading() {
    unsafe bufferevent_disable(stream, Int16(EV_READ))
  }

  /// Closes the connection at once, whatever it does. Wraps `evhttp_connection_free`.
  func cut() {
    guard let evhttpConnection = unsafe evhttpConnection else { return }
    // An exchange is told by `closed()`, which must find it.
    if case .receiving = phase { phase = .cut }
    unsafe evhttp_connection_free(evhttpConnection)
  }

  /// Has a call made when the present callback has returned, before anything else happens.
  func callUrgently(_ call: @escaping () -> Void) {
    server.urgent.add(call)
  }

  /// Closes the connection when the present callback has returned.
  func cutLater() {
    callUrgently { [weak self] in self?.cut() }
  }

  /// A request fits in this many bytes, and evhttp takes them before more is read. It does not
  /// bound a line that gives the size of a chunk, so the whole is bounded here.
  func inputChanged(addedByteCount: Int) {
    if addedByteCount > 0 {
      hold?.noteReading()
      if case .receiving = phase { receive(addedByteCount) }
    }
    let limits = server.configuration
    let limit =
      limits.maximumHeaderByteCount + limits.maximumBodyByteCount
      + 2 * Self.maximumByteCountPerRead
    guard unsafe evbuffer_get_length(bufferevent_get_input(stream)) > limit else { return }
    stopReading()
    cutLater()
  }

  private func receive(_ byteCount: Int) {
    if reception == nil { server.watchPace() }
    reception = Movement(reception, byteCount)
  }

  /// Has something written, and notes since when the client has something to take.
  func noteOutput(_ write: () -> Void) {
    let output = unsafe bufferevent_get_output(stream)
    let before = unsafe evbuffer_get_length(output)
    if before == 0 { backlog = nil }
    write()
    let added = unsafe evbuffer_get_length(output) - before
    guard added > 0 else { return }
    if backlog == nil { server.watchPace() }
    backlog = Movement(backlog, added)
  }

  /// Whether a request is on its way, or bytes of an answer are.
  var isMovingBytes: Bool {
    unsafe reception != nil || evbuffer_get_length(bufferevent_get_output(stream)) > 0
  }

  /// Whether the client takes longer than it may, to send its request or to take its answer.
  func isTooSlow(_ now: ContinuousClock.Instant) -> Bool {
    let limits = server.configuration
    let isRequestSlow = reception?.isSlow(
      now, limit: limits.requestTimeout, byteRate: limits.minimumRequestByteRate)
    if let isRequestSlow { return isRequestSlow }
    guard isMovingBytes else { return false }
    return backlog?.isSlow(
      now, limit: limits.answerTimeout, byteRate: limits.minimumAnswerByteRate) ?? false
  }

  /// evhttp is about to free its connection, for whatever reason, and this one time.
  func closed() {
    unsafe evhttpConnection = nil
    hold?.end()
    removeInputCallback(of: self)
    let isBehindAnswer = wasAnswerSent
    // Before the descriptor is closed and perhaps kept by a duplicate: epoll would go on to report
    // it, under a number that may be another's by then.
    unsafe bufferevent_disable(stream, Int16(EV_READ | EV_WRITE))
    if isBehindAnswer && !server.isClosed { linger() }
    let ended = phase
    phase = .cut
    if case .answering(let exchange) = ended {
      exchange.connectionClosed()
      server.answerEnded()
    }
    releaseOutput()
    server.connectionClosed(self)
  }

  /// Whether evhttp closes since it has sent an answer that says so, rather than since the client
  /// hung up or stalled: then it has stopped to read and has nothing left to write.
  private var wasAnswerSent: Bool {
    guard case .receiving = phase else { return false }
    var readCallback: bufferevent_data_cb?
    unsafe bufferevent_getcb(stream, &readCallback, nil, nil, nil)
    let isReading = unsafe readCallback != nil
    return unsafe !isReading && evbuffer_get_length(bufferevent_get_output(stream)) == 0
  }

  private func linger() {
    let duplicate = unsafe fcntl(bufferevent_getfd(stream), F_DUPFD_CLOEXEC, 0)
    if duplicate >= 0 { server.linger(on: duplicate) }
  }

  /// Throws away what is unsent, so that its memory comes back now: libevent itself does that
  /// some time after the connection is gone.
  private func releaseOutput() {
    let output = unsafe bufferevent_get_output(stream)
    unsafe evbuffer_unfreeze(output, 1)
    unsafe evbuffer_drain(output, .max)
    unsafe evbuffer_freeze(output, 1)
  }
}
