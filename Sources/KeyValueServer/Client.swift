import PosixAIO
import Reactor
import SystemPackage

/// A client: its requests are run as they come, and its answers sent in the same order.
///
/// An answer that tells of a change waits until that is settled, and so does every answer behind
/// it. Those of the batch that is in flight and those of the one that is gathering are kept apart.
final class Client {
  /// The answers that wait for a batch.
  private struct HeldAnswers {
    var bytes: Bytes = []
    /// Those that tell what is not true if the batch fails.
    var dependent: [Range<Int>] = []

    var isEmpty: Bool { bytes.isEmpty }

    /// The same with an error in the place of each dependent one.
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
    /// No more requests are taken; it is closed when it has its answers.
    case ending
    case closed
  }

  private static let directByteCount = 64 * 1024
  /// The bytes of answers that wait for the log before no more requests are taken.
  private static let heldByteLimit = 1024 * 1024

  let connection: Connection
  private unowned let server: Server
  private let call: Call
  private var parser = RequestParser()
  private var state = State.serving

  /// The answers that wait for nothing, until they are sent together.
  private var direct: Bytes = []
  private var inFlight = HeldAnswers()
  private var gathering = HeldAnswers()

  init(_ connection: Connection, _ server: Server, _ call: Call) {
    self.connection = connection
    self.server = server
    self.call = call
    connection.onReceive = { [unowned self] _, bytes in receive(bytes) }
    connection.onEndOfInput = { [unowned self] _ in end() }
    connection.onDrained = { [unowned self] _ in updateReceiving() }
    connection.onClose = { [self] _, _ in
      state = .closed
      inFlight = HeldAnswers()
      gathering = HeldAnswers()
      self.server.remove(self)
    }
  }

  // MARK: - Requests

  private func receive(_ bytes: RawSpan) -> Int {
    call.database.now = .now()
    var offset = 0
    do throws(RequestParser.ProtocolError) {
      while canTakeMore, let request = try parser.next(in: bytes, at: &offset) {
        run(request)
      }
    } catch {
      call.reply.removeAll()
      call.reply.error("ERR Protocol error: \(error.reason)")
      place(call.reply.bytes, .settled)
      end()
    }
    sendDirect()
    server.log.commit()
    updateReceiving()
    return state == .serving ? offset : bytes.byteCount
  }

  private func run(_ request: [Bytes]) {
    server.commandCount += 1
    call.run(request, isHolding ? .newest : .settled)
    place(call.reply.bytes, call.database.standing)
    switch call.effect {
    case .none: break
    case .closing: end()
    case .shuttingDown: server.shutDown()
    }
  }

  private var isHolding: Bool { !inFlight.isEmpty || !gathering.isEmpty }

  private var canTakeMore: Bool {
    state == .serving && !connection.isCongested
      && inFlight.bytes.count + gathering.bytes.count < Self.heldByteLimit
      && (gathering.isEmpty || !server.isBatchFull)
  }

  /// Takes requests again, or no more, as everything together says.
  func updateReceiving() {
    guard state == .serving, connection.isReceivingPaused == canTakeMore else { return }
    if canTakeMore { connection.resumeReceiving() } else { connection.pauseReceiving() }
  }

  // MARK: - Answers

  private func place(_ answer: Bytes, _ standing: Standing) {
    guard !answer.isEmpty else { return }
    if standing == .gathering || !gathering.isEmpty {
      if gathering.isEmpty { server.gatheringClients.append(self) }
      hold(answer, isDependent: standing != .settled, in: &gathering)
    } else if standing == .inFlight || !inFlight.isEmpty {
      if inFlight.isEmpty { server.inFlightClients.append(self) }
      hold(answer, isDependent: standing != .settled, in: &inFlight)
    } else {
      direct += answer
      if direct.count >= Self.directByteCount { sendDirect() }
    }
  }

  private func hold(_ answer: Bytes, isDependent: Bool, in held: inout HeldAnswers) {
    let start = held.bytes.count
    held.bytes += answer
    if isDependent { held.dependent.append(start..<held.bytes.count) }
  }

  private func sendDirect() {
    guard !direct.isEmpty else { return }
    send(direct)
    direct.removeAll(keepingCapacity: direct.count <= 2 * Self.directByteCount)
  }

  private func send(_ bytes: Bytes) {
    do throws(Errno) {
      try unsafe connection.write(bytes.span.bytes)
    } catch {
      // It takes its answers too slowly, or is gone already.
      connection.abort()
    }
  }

  /// The gathered batch is in flight.
  func beginFlight() {
    swap(&inFlight, &gathering)
    updateReceiving()
  }

  /// The batch in flight is settled.
  func settle() {
    guard !inFlight.isEmpty else { return }
    send(inFlight.bytes)
    inFlight.bytes.removeAll(keepingCapacity: inFlight.bytes.count <= Self.directByteCount)
    inFlight.dependent.removeAll(keepingCapacity: true)
    answersWentOut()
  }

  /// Neither of the batches will ever be settled.
  func fail(_ error: Bytes) {
    guard isHolding else { return }
    send(inFlight.failed(error) + gathering.failed(error))
    inFlight = HeldAnswers()
    gathering = HeldAnswers()
    answersWentOut()
  }

  private func answersWentOut() {
    if state == .ending, !isHolding { connection.close() }
    updateReceiving()
  }

  // MARK: - The end

  /// Takes no more requests, and closes when the client has its answers.
  func end() {
    guard state == .serving else { return }
    state = .ending
    sendDirect()
    if !isHolding { connection.close() }
  }
}
