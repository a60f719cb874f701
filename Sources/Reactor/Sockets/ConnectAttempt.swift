internal import PosixAIO
internal import CLibevent
internal import SystemPackage

/// A connection attempt in progress. It continues even if you drop this handle. When its loop ends,
/// its handler gets `ECANCELED`.
///
/// Tries a host's addresses with alternating families. The next address is tried when the previous
/// one fails or ``attemptDelay`` has passed; the first to accept becomes the connection (after RFC
/// 8305).
@safe
public final class ConnectAttempt: @unchecked Sendable {
  /// How long to wait for an address before also trying the next one.
  public static let attemptDelay = Duration.milliseconds(250)

  typealias Handler = (Result<Connection, SocketError>) -> Void

  private enum State {
    case resolving
    /// Connecting sockets, by descriptor.
    case connecting([Int32: Try])
    case done
  }

  /// One connecting socket.
  private struct Try {
    let address: SocketAddress
    let event: Event
  }

  private let core: LoopCore
  private let sockets: OpenSockets
  private let configuration: Connection.Configuration
  private let peer: String
  private var state: State
  private var untried: [SocketAddress] = []
  private var lastError: SocketError?
  private var nextTry: EventLoop.Timer?
  private var timeout: EventLoop.Timer?
  private var handler: Handler?

  init(
    _ peer: String, on core: LoopCore, timeout: Duration,
    _ configuration: Connection.Configuration,
    _ handler: @escaping Handler
  ) {
    configuration.check()
    require(timeout > .zero, "Connection: a connect timeout must be more than 0")
    let refusal = core.refusal
    self.core = core
    self.configuration = configuration
    self.peer = peer
    self.handler = handler
    sockets = core.sockets
    guard refusal == nil else {
      state = .done
      core.complete { [self] in report(.failure(SocketError(.connect, peer, .canceled))) }
      return
    }
    state = .resolving
    sockets.insert(self)
    self.timeout = core.schedule(after: timeout) { [self] in
      finish(.failure(timedOut))
    }
    // A loop that is ending starts nothing.
    if core.isEnding { cancel() }
  }

  /// Cancels the attempt. The handler gets `ECANCELED` if it has no result yet.
  public func cancel() {
    guard !core.hasEnded else { return }
    core.checkThread()
    if case .done = state { return }
    let canceled = SocketError(.connect, peer, .canceled)
    close(keeping: nil)
    sockets.nextTurn { [self] in report(.failure(canceled)) }
  }

  /// Looks the host up on a helper thread, then connects.
  func resolve(_ host: String, port: UInt16) {
    guard case .resolving = state else { return }
    core.helpers.run(.nameLookUp) {
      Result { () throws(NameLookup.Failure) in try NameLookup.addresses(of: host, port: port) }
    } _: { [self] outcome in
      guard case .resolving = state else { return }
      switch outcome {
      case .success(.success(let addresses)): connect(addresses.alternatingFamilies())
      case .success(.failure(let failure)):
        finish(.failure(SocketError(.resolve, peer, failure.reason)))
      case .failure(let errno): finish(.failure(SocketError(.resolve, peer, errno)))
      }
    }
  }

  /// Starts trying the addresses in the next turn.
  func connect(_ addresses: [SocketAddress]) {
    guard case .resolving = state else { return }
    untried = addresses
    sockets.nextTurn { [self] in
      guard case .resolving = state else { return }
      state = .connecting([:])
      tryNext()
    }
  }

  private var timedOut: SocketError { SocketError(.connect, peer, .timedOut) }

  /// Starts connecting to the next address, skipping those that fail at once.
  private func tryNext() {
    nextTry?.cancel()
    while case .connecting(let tries) = state {
      guard !untried.isEmpty else {
        guard tries.isEmpty else { return }
        // With no address to try, there is no error to report.
        let noAddress = SocketError(.connect, peer, .addressNotAvailable)
        return finish(.failure(lastError ?? noAddress))
      }
      let address = untried.removeFirst()
      do throws(Errno) {
        try begin(address)
        if !untried.isEmpty {
          nextTry = core.schedule(after: Self.attemptDelay) { [self] in tryNext() }
        }
        return
      } catch {
        lastError = SocketError(.connect, "\(address)", error)
      }
    }
  }

  private func begin(_ address: SocketAddress) throws(Errno) {
    let socket = try SocketCalls.open(address.family)
    do throws(Errno) {
      try SocketCalls.apply(configuration.tcp, to: socket, address.family)
      if try SocketCalls.connect(socket, to: address) { return succeed(socket, address) }
    } catch {
      SocketCalls.close(socket)
      throw error
    }
    let event = Event(in: core.registry, descriptor: socket, flags: EV_WRITE) { [self] in
      connectFinished(socket)
    }
    event.add()
    guard case .connecting(var tries) = state else { return }
    tries[socket] = Try(address: address, event: event)
    state = .connecting(tries)
  }

  private func connectFinished(_ socket: Int32) {
    guard case .connecting(var tries) = state, let known = tries[socket] else { return }
    guard let error = SocketCalls.pendingError(of: socket) else {
      return succeed(socket, known.address)
    }
    tries[socket] = nil
    state = .connecting(tries)
    SocketCalls.close(socket)
    lastError = SocketError(.connect, "\(known.address)", error)
    tryNext()
  }

  private func succeed(_ socket: Int32, _ address: SocketAddress) {
    close(keeping: socket)
    report(
      .success(
        Connection(socket, peerAddress: address, on: core, configuration, listener: nil)))
  }

  private func finish(_ result: Result<Connection, SocketError>) {
    close(keeping: nil)
    report(result)
  }

  private func close(keeping winner: Int32?) {
    nextTry?.cancel()
    timeout?.cancel()
    if case .connecting(let tries) = state {
      for (socket, attempt) in tries {
        attempt.event.remove()
        if socket != winner { SocketCalls.close(socket) }
      }
    }
    state = .done
    sockets.remove(self)
  }

  private func report(_ result: Result<Connection, SocketError>) {
    let handler = handler
    self.handler = nil
    handler?(result)
  }
}

extension ConnectAttempt: OpenSocket {
  package func loopIsEnding() {
    cancel()
  }
}
