internal import PosixAIO
public import SystemPackage

/// A connection to a peer, over TCP or a Unix socket.
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
/// Handlers run on the loop's thread, and never inside the call that caused them. Each gets the
/// connection as an argument, so it need not capture it. Handlers that do are released when the
/// connection closes. A handler may call anything on the connection.
///
/// **Lifetime.** A connection with a handler stays open even if you drop every reference.
/// ``close()->()``, ``abort(resetting:)``, the peer, an error or a timeout closes it, and then
/// ``onClose`` is called once, as the last of its handlers. If you drop a connection without
/// handlers, for example from a task that forgets it, the loop closes it within about a minute; use
/// ``closeAfter(_:)`` to close it in time. The end of the loop also ends its connections: unsent
/// output is dropped, and ``onClose`` gets ``CloseReason/local``.
///
/// **SIGPIPE.** A connection never raises it and never changes the process's disposition for it: it
/// sends with `MSG_NOSIGNAL` or with the signal blocked. A peer that has gone away shows as
/// ``CloseReason/failed(_:)`` with `EPIPE` or `ECONNRESET`.
///
/// Wraps two libevent events, `recv(2)`, `send(2)`, `sendmsg(2)` and `sendfile(2)`.
@safe
public final class Connection: @unchecked Sendable {
  /// Handles all unconsumed input, passed as one contiguous span.
  ///
  /// - Parameters:
  ///   - connection: The connection that received the bytes.
  ///   - bytes: The input buffer's memory, not a copy; valid until the handler returns.
  /// - Returns: The number of bytes consumed from the front: 0 to `bytes.byteCount`. The rest is
  ///   passed again together with the bytes that arrive next.
  public typealias ReceiveHandler = (_ connection: Connection, _ bytes: RawSpan) -> Int

  enum State {
    case open
    /// Sends the waiting output and discards input. The timer, or the owner, limits how long.
    case closing(CloseReason, EventLoop.Timer?)
    /// All output was sent and this side shut down. Discards input until the peer ends its side.
    case lingering(CloseReason, EventLoop.Timer)
    case closed(CloseReason)
  }

  enum Input {
    case open
    /// The peer has ended its side, but this was not reported yet.
    case ended
    /// The end of input was reported.
    case reported
  }

  enum Output {
    case open
    /// Shuts down when all output is sent.
    case ending
    case ended
    /// Sending a file failed, so nothing after it can be sent.
    case broken
  }

  /// The peer's address, also after it has gone away.
  public let peerAddress: SocketAddress

  /// The configuration that the connection was created with.
  public let configuration: Configuration

  package let core: LoopCore

  /// The loop that runs it.
  public var loop: EventLoop { core.loop }

  let sockets: OpenSockets
  let socket: BufferedSocket
  var listener: Listener?

  var state = State.open
  var input = Input.open
  var output = Output.open

  /// Whether the waiting output exceeded the high-water mark and has not yet fallen to the
  /// low-water mark. Then pause writing until ``onDrained``.
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

  /// Called when bytes have arrived. Until you set it, bytes and the end of input wait.
  ///
  /// This and the other handlers are dropped if you set them when the close was already reported:
  /// ``closeReason`` is not nil then. They are also dropped after the loop's end.
  public var onReceive: ReceiveHandler? {
    get {
      core.checkAccess()
      return onReceiveHandler
    }
    set {
      guard mayHaveHandlers else { return }
      _ = onReceiveHandler.exchange(for: newValue)
      deliverNextTurn()
    }
  }
  private(set) var onReceiveHandler: ReceiveHandler?

  /// Called once when the peer ends its side, after ``onReceive`` got the last bytes. Bytes that
  /// the handler left unconsumed stay in ``withUnreadBytes(_:)``. The connection can still send.
  ///
  /// Without this handler the connection closes by itself, but lets a half-closing peer get its
  /// responses. If the receive handler wrote something in each call that consumed bytes, the
  /// connection closes as soon as that output is sent. Otherwise responses may still be due: the
  /// connection accepts writes until ``Configuration/halfClosedTimeout`` passes without a write and
  /// with everything sent. A paused connection does not close.
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

  /// Called when a congested connection's output falls to the low-water mark.
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

  /// Called when the kernel has taken bytes, even if more is waiting. Called by the loop after all
  /// state is updated, never inside a write or after ``onClose``. ``sentByteCount`` has grown.
  package var onProgress: (() -> Void)? {
    get { onProgressHandler }
    set {
      _ = onProgressHandler.exchange(for: newValue)
    }
  }
  private(set) var onProgressHandler: (() -> Void)?

  /// Called once when a file range cannot be sent, so no later output can be either. Called by the
  /// loop, after the range's own handler.
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

  /// Replaces ``onReceive``: called each time bytes arrive or the input ends, however much is left
  /// unconsumed.
  package var onInput: (() -> Void)? {
    get { onInputHandler }
    set {
      _ = onInputHandler.exchange(for: newValue)
    }
  }
  private(set) var onInputHandler: (() -> Void)?
  /// A reader waiting for bytes, the end of input or the end of the connection.
  var reader: (() -> Void)?
  /// Writers waiting for the output in memory to fall to `memoryByteCount`; nil waits until
  /// everything is sent.
  var writers: [(number: Int, memoryByteCount: Int?, resume: () -> Void)] = []
  /// The number of the next writer that waits.
  var nextWriterNumber = 0
  /// Tasks waiting for the connection to close.
  var closers: [Promise<CloseReason, Never>] = []
  /// ``sentByteCount`` at the last call of ``onProgress``.
  var reportedByteCount: Int64 = 0
  /// Why a range could not be sent, until that is reported.
  var brokenReason: PumpError.Reason?
  /// The number of accepted writes.
  var writeCount = 0
  /// Whether the receive handler has consumed bytes without writing in the same call, so responses
  /// to them may still come.
  var owesResponses = false
  /// Whether the close was reported, after which no handler is called.
  var hasReleasedHandlers = false
  /// Input that was not read before the connection closed.
  var leftInput: [UInt8] = []

  /// Takes over a connected stream socket, for example one of a `socketpair(2)`, and makes it
  /// non-blocking.
  ///
  /// - Parameters:
  ///   - descriptor: The socket. The connection closes it.
  ///   - loop: The loop to use. Call on its thread.
  ///   - configuration: The limits. Values out of range trap.
  /// - Throws: `ENOTSOCK`, `ENOTCONN` or another error of `getpeername(2)`, `fcntl(2)` or
  ///   `setsockopt(2)`; `ECANCELED` when the loop is ending. The descriptor remains yours.
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

  /// Takes over a connected socket whose options are already set.
  ///
  /// - Parameter isShared: Whether other code may hold the socket too, and change its flags.
  init(
    _ descriptor: Int32, isShared: Bool = false, peerAddress: SocketAddress, on core: LoopCore,
    _ configuration: Configuration, listener: Listener?
  ) {
    configuration.check()
    self.core = core
    self.configuration = configuration
    self.peerAddress = peerAddress
    self.listener = listener
    sockets = core.sockets
    socket = BufferedSocket(
      descriptor, in: core.registry, sockets.blocks,
      .init(inputByteCount: configuration.inputHighWaterByteCount, isShared: isShared))
    socket.owner = self
    sockets.insert(self)
    core.searchForDrops()
    updateTimeouts()
    updateReading()
  }

  /// Whether the connection is open: neither closed nor closing.
  public var isOpen: Bool {
    core.checkAccess()
    return isInUse
  }

  var isInUse: Bool {
    if case .open = state { true } else { false }
  }

  /// Why the connection closed; nil until then, also while it sends the last output.
  public var closeReason: CloseReason? {
    core.checkAccess()
    return endReason
  }

  /// As ``closeReason``, without the thread check.
  package var endReason: CloseReason? {
    if case .closed(let reason) = state { reason } else { nil }
  }

  /// Traps off the loop's thread. After the loop's end the connection is closed and does nothing.
  func checkThread() {
    core.checkAccess()
  }

  /// Whether handlers are stored: not when none will be called any more.
  private var mayHaveHandlers: Bool {
    core.checkAccess()
    return !core.hasEnded && !hasReleasedHandlers
  }

  /// The input timeout runs only while a read is wanted: while a request is processed, the peer
  /// need not send the next one.
  func updateTimeouts() {
    let wantsInput = isInUse && (onReceiveHandler != nil && !holdsInputBack || reader != nil)
    socket.setTimeouts(
      input: wantsInput ? configuration.inputTimeout : nil, output: configuration.outputTimeout)
  }
}
