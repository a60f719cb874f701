internal import PosixAIO
public import SystemPackage

extension Connection {
  /// The limits and choices of a connection. A time-out of more than ten years never passes.
  public struct Configuration: Sendable {
    /// The bytes of input that may wait for the receive handler or a reader, in user memory; at so
    /// many the connection stops to read, and the kernel's buffers hold up the peer. What a receive
    /// handler leaves counts too, so this is the longest message that a parser can wait for. 4 KiB
    /// or more; 64 KiB unless set.
    public var inputHighWaterByteCount = 64 * 1024

    /// The bytes of output that may wait before the writer should pause, in user memory, to which
    /// ranges of files do not count: beyond them ``Connection/isCongested`` holds. 1 or more; 256
    /// KiB unless set.
    public var outputHighWaterByteCount = 256 * 1024

    /// The bytes of waiting output at which a congested connection calls
    /// ``Connection/onDrained``. 0 to ``outputHighWaterByteCount``; 64 KiB unless set.
    public var outputLowWaterByteCount = 64 * 1024

    /// The bytes of output that may wait at all. A write that would make them more is refused with
    /// `ENOBUFS`. ``outputHighWaterByteCount`` or more; 64 MiB unless set.
    public var outputLimitByteCount = 64 * 1024 * 1024

    /// How long the peer may send nothing while input is wanted: there is a receive handler and it
    /// is not paused, or a reader waits. More than 0; nil, the value unless set, is for ever.
    public var inputTimeout: Duration?

    /// How long the peer may take nothing of what is to be sent. More than 0; nil, the value unless
    /// set, is for ever.
    public var outputTimeout: Duration?

    /// How long ``Connection/close()->()`` may take to send what is waiting. More than 0; 30
    /// seconds unless set.
    public var closeTimeout = Duration.seconds(30)

    /// How long the peer of a connection that has sent everything and is closing may send nothing
    /// without ending its side. What it sends is read and forgotten, for ``closeTimeout`` in all;
    /// without that the kernel answers it with a reset, at which the peer loses what it has not
    /// read yet. 0 or more; 2 seconds unless set.
    public var lingerTimeout = Duration.seconds(2)

    /// How long a connection without ``Connection/onEndOfInput`` whose peer has ended its side, and
    /// to which responses may be due, stays open while nothing is written and nothing is left to
    /// send. More than 0; 2 seconds by default.
    public var halfClosedTimeout = Duration.seconds(2)

    /// Whether a small write is sent at once, even if the peer has not acknowledged the one before
    /// (`TCP_NODELAY`). True unless set; without it answers in two pieces wait 40 ms.
    public var sendsAtOnce = true

    /// How long a TCP connection is silent before the kernel asks whether the peer still exists
    /// (`TCP_KEEPIDLE`), in whole seconds. 1 second or more; more than 32,767 seconds, the kernel's
    /// limit, are taken as that. Nil, the default, never asks.
    public var keepAliveIdleTime: Duration?

    /// The limits as they are unless set.
    public init() {}

    static let minimumInputHighWaterByteCount = 4096

    func check() {
      require(
        inputHighWaterByteCount >= Self.minimumInputHighWaterByteCount,
        "Connection.Configuration: the high-water mark of input is 4096 bytes or more")
      require(
        outputHighWaterByteCount > 0 && outputLimitByteCount >= outputHighWaterByteCount
          && (0...outputHighWaterByteCount).contains(outputLowWaterByteCount),
        "Connection.Configuration: the marks of output are 0 <= low <= high <= limit, high not 0")
      require(
        (inputTimeout.map { $0 > .zero } ?? true) && (outputTimeout.map { $0 > .zero } ?? true)
          && closeTimeout > .zero && lingerTimeout >= .zero && halfClosedTimeout > .zero,
        "Connection.Configuration: a time-out is more than 0, and lingerTimeout 0 or more")
      require(
        keepAliveIdleTime.map { $0 >= .seconds(1) } ?? true,
        "Connection.Configuration: keepAliveIdleTime is 1 second or more")
    }

    var tcp: SocketCalls.TCPOptions {
      var options = SocketCalls.TCPOptions()
      options.sendsAtOnce = sendsAtOnce
      options.keepAliveIdleTime = keepAliveIdleTime
      return options
    }
  }

  /// A way of the bytes.
  public enum Direction: Sendable {
    /// From the peer to us.
    case input
    /// From us to the peer.
    case output
  }

  /// Why a connection was closed.
  public enum CloseReason: Equatable, Sendable {
    /// Both sides have ended: the peer its side, and this side was ended too, by
    /// ``Connection/shutdownOutput()`` or, without ``Connection/onEndOfInput``, by itself.
    case endOfInput

    /// ``Connection/close()->()`` has sent everything, or ``Connection/abort(resetting:)`` was
    /// called.
    case local

    /// A time-out has passed; what was not sent is lost. `ETIMEDOUT` of the kernel's own probes is
    /// a ``failed(_:)``.
    case timedOut(Direction)

    /// The kernel gave an error: `ECONNRESET` and `EPIPE` when the peer has vanished. What was not
    /// sent is lost.
    case failed(Errno)
  }
}
