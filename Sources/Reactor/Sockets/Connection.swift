internal import PosixAIO
public import SystemPackage

/// A stream of bytes to and from a peer, over TCP or a Unix socket.
///
/// ```swift
/// listener.onConnection = { connection in
///   connection.onReceive = { connection, bytes in
///     try? connection.write(bytes)  // an echo
///     return bytes.byteCount
///   }
/// }
/// ```
///
/// Handlers run on the loop's thread, and never from inside the call that caused them. They get the
/// connection, so that they need not hold it; those that do are let go when it has closed. They
/// may do anything to it.
///
/// **Lifetime.** A connection with a handler lives as long as it is open, kept or not. It is closed
/// by ``close()->()``, ``abort(resetting:)``, the peer, an error or a time-out, and then
/// ``onClose`` is called once, as the last of its handlers. One without handlers that is dropped,
/// as by a task that forgets it, is closed by the loop about a minute later at the latest;
/// ``closeAfter(_:)`` closes it in time. A connection ends with its loop, if that ends first: what
/// it has not sent is dropped, and ``onClose`` gets ``CloseReason/local``.
///
/// **SIGPIPE.** A connection never raises it, and never changes what the process does about it:
/// everything is sent with `MSG_NOSIGNAL`, or with the signal blocked. A peer that is gone shows as
/// ``CloseReason/failed(_:)`` with `EPIPE` or `ECONNRESET`.
///
/// Wraps two events of libevent, `recv(2)`, `send(2)`, `sendmsg(2)` and `sendfile(2)`.
@safe
public final class Connection: @unchecked Sendable {
  /// Looks at the bytes that have arrived and were not consumed, all of them in one piece.
  ///
  /// - Parameters:
  ///   - connection: Whose bytes these are.
  ///   - bytes: The memory of the input buffer, not copied; gone when the handler returns.
  /// - Returns: How many bytes, from the first, are consumed: 0 to `bytes.byteCount`. The rest is
  ///   shown again, when more has come behind it.
  public typealias ReceiveHandler = (_ connection: Connection, _ bytes: RawSpan) -> Int

  enum State {
    case open
    /// Sends what is waiting, and forgets what comes. The timer bounds it, or the owner.
    case closing(CloseReason, EventLoop.Timer?)
    /// Everything was sent and the peer told. Forgets what comes until the peer ends too.
    case lingering(CloseReason, EventLoop.Timer)
    case closed(CloseReason)
  }

  enum Input {
    case open
    /// The peer has ended its side, but nobody was told.
    case ended
    /// Somebody was told.
    case told
  }

  enum Output {
    case open
    /// To be shut down when everything was sent.
    case ending
    case ended
    /// A file that was to be sent has failed: nothing can be sent in its place.
    case broken
  }

  /// The address of the other side, also when it is gone.
  public let peerAddress: SocketAddress

  /// What the connection was made with.
  public let configuration: Configuration

  let core: LoopCore

  /// The loop that runs it.
  public var loop: EventLoop { core.loop }

  let sockets: OpenSockets
  let stream: SocketStream
  var listener: Listener?

  var state = State.open
  var input = Input.open
  var output = Output.open

  /// Whether more output waits than the high-water mark, or did and the low-water mark was not
  /// reached since. Somebody who writes a lot pauses then, until ``onDrained``.
  public var isCongested: Bool {
    core.checkAccess()
    return hasTooMuchOutput
  }
  var hasTooMuchOutput = false

  /// Whether ``pauseReceiving()`` was called.
  public var isReceivingPaused: Bool {
    core.checkAccess()
    return holdsInputBack
  }
  var holdsInputBack = false

  /// Called when bytes have arrived. Until it is set they wait, and so does the end of input.
  ///
  /// This and the other handlers are dropped when they are set after the loop's end.
  public var onReceive: ReceiveHandler? {
    get {
      core.checkAccess()
      return onReceiveHandler
    }
    set {
      guard mayHaveHandlers else { return }
      _ = onReceiveHandler.exchange(for: newValue)
      deliverLater()
    }
  }
  private(set) var onReceiveHandler: ReceiveHandler?

  /// Called once when the peer has ended its side, after ``onReceive`` was shown the last bytes.
  /// What that has left stays in ``withUnreadBytes(_:)``. The connection can still send.
  ///
  /// Without it the connection closes by itself, so that a peer that half-closes gets its
  /// responses: when the receive handler has written something in each call that consumed bytes,
  /// as soon as that is sent. Otherwise responses may still be due, and writes are accepted until
  /// none came, and everything was sent, for ``Configuration/halfClosedTimeout``. A paused
  /// connection is not closed.
  public var onEndOfInput: ((Connection) -> Void)? {
    get {
      core.checkAccess()
      return onEndOfInputHandler
    }
    set {
      guard mayHaveHandlers else { return }
      _ = onEndOfInputHandler.exchange(for: newValue)
    }
  }
  private(set) var onEndOfInputHandler: ((Connection) -> Void)?

  /// Called when a congested connection has come down to the low-water mark.
  public var onDrained: ((Connection) -> Void)? {
    get {
      core.checkAccess()
      return onDrainedHandler
    }
    set {
      guard mayHaveHandlers else { return }
      _ = onDrainedHandler.exchange(for: newValue)
    }
  }
  private(set) var onDrainedHandler: ((Connection) -> Void)?

  /// Called when the kernel has taken bytes, whatever waits: from the loop, when everything is up
  /// to date, and never from inside a write or behind ``onClose``. ``sentByteCount`` has grown.
  package var onProgress: (() -> Void)? {
    get { onProgressHandler }
    set {
      _ = onProgressHandler.exchange(for: newValue)
    }
  }
  private(set) var onProgressHandler: (() -> Void)?

  /// Called once when a range of a file could not be sent, so that nothing more can be: from the
  /// loop, after its own handler.
  package var onOutputFailure: ((PumpError.Reason) -> Void)? {
    get { onOutputFailureHandler }
    set {
      _ = onOutputFailureHandler.exchange(for: newValue)
    }
  }
  private var onOutputFailureHandler: ((PumpError.Reason) -> Void)?

  /// Called once when the connection is closed, as the last of its handlers.
  public var onClose: ((Connection, CloseReason) -> Void)? {
    get {
      core.checkAccess()
      return onCloseHandler
    }
    set {
      guard mayHaveHandlers else { return }
      _ = onCloseHandler.exchange(for: newValue)
    }
  }
  private(set) var onCloseHandler: ((Connection, CloseReason) -> Void)?

  /// In place of ``onReceive``: called when something has arrived or the input has ended, again and
  /// again, whatever is left of it.
  package var onInput: (() -> Void)? {
    get { onInputHandler }
    set {
      _ = onInputHandler.exchange(for: newValue)
    }
  }
  private(set) var onInputHandler: (() -> Void)?
  /// A reader that waits for bytes, the end of input or the end of the connection.
  var reader: (() -> Void)?
  /// Writers that wait until so many bytes, or fewer, are waiting in memory; nil is for those who
  /// wait until everything is sent.
  var writers: [(memoryByteCount: Int?, resume: () -> Void)] = []
  /// Those who wait for the end of the connection.
  var closers: [Promise<CloseReason, Never>] = []
  /// The bytes that were sent when ``onProgress`` was last called.
  var reportedByteCount: Int64 = 0
  /// Why a range could not be sent, until it is told.
  var brokenReason: PumpError.Reason?
  /// The writes that were accepted.
  var writeCount = 0
  /// Whether the receive handler has consumed bytes and written nothing in the same call, so that
  /// responses to them may still come.
  var owesResponses = false
  /// What arrived and was not read before the connection closed.
  var leftInput: [UInt8] = []

  /// Takes over a connected stream socket, such as one of a `socketpair(2)`, and makes it
  /// non-blocking.
  ///
  /// - Parameters:
  ///   - descriptor: Of the socket, which the connection closes.
  ///   - loop: Whose thread this is.
  ///   - configuration: The limits; those that are out of their range trap.
  /// - Throws: `ENOTSOCK`, `ENOTCONN` or another error of `getpeername(2)` or `setsockopt(2)`. Then
  ///   the descriptor is still the caller's. `ECANCELED` when the loop is ending.
  public convenience init(
    adopting descriptor: FileDescriptor, on loop: EventLoop,
    configuration: Configuration = Configuration()
  ) throws(Errno) {
    try loop.core.checkSockets()
    let address = try SocketCalls.adopt(descriptor.rawValue, configuration.tcp)
    self.init(
      descriptor.rawValue, isShared: true, peerAddress: address, on: loop.core, configuration,
      listener: nil)
  }

  /// Takes over a connected socket that has its options.
  ///
  /// - Parameter isShared: Whether somebody else may have it, too, and change it.
  init(
    _ socket: Int32, isShared: Bool = false, peerAddress: SocketAddress, on core: LoopCore,
    _ configuration: Configuration, listener: Listener?
  ) {
    configuration.check()
    self.core = core
    self.configuration = configuration
    self.peerAddress = peerAddress
    self.listener = listener
    sockets = core.sockets
    stream = SocketStream(
      socket, in: core.registry, sockets.blocks,
      .init(inputByteCount: configuration.inputHighWaterByteCount, isShared: isShared))
    stream.owner = self
    sockets.insert(self)
    core.searchForDrops()
    updateTimeouts()
    updateReading()
  }

  /// Whether it was not closed yet, nor asked to.
  public var isOpen: Bool {
    core.checkAccess()
    return isInUse
  }

  var isInUse: Bool {
    if case .open = state { true } else { false }
  }

  /// Why it was closed; nil as long as it is not, for instance while it sends the rest.
  public var closeReason: CloseReason? {
    core.checkAccess()
    return endReason
  }

  /// As ``closeReason``, for whoever is on the loop's thread for certain.
  package var endReason: CloseReason? {
    if case .closed(let reason) = state { reason } else { nil }
  }

  /// Traps off the loop's thread. A connection outlives its loop closed, and does nothing.
  func checkThread() {
    core.checkAccess()
  }

  /// Whether handlers are kept: not any more when the loop has ended.
  private var mayHaveHandlers: Bool {
    core.checkAccess()
    return !core.hasEnded
  }

  /// Time runs for input only while somebody wants it: who is busy with a request does not read the
  /// next one, and its peer need not send it.
  func updateTimeouts() {
    let wantsInput = isInUse && (onReceiveHandler != nil && !holdsInputBack || reader != nil)
    stream.setTimeouts(
      input: wantsInput ? configuration.inputTimeout : nil, output: configuration.outputTimeout)
  }
}
