internal import PosixAIO
public import SystemPackage

extension Connection {
  /// The configuration of a connection. A timeout of more than ten years never expires.
  public struct Configuration: Sendable {
    /// The most input bytes held for the receive handler or a reader, in user memory. At this mark
    /// the connection stops reading, and the kernel's buffers then hold up the peer. Bytes that a
    /// receive handler leaves unconsumed count too, so this is also the longest message that a
    /// parser can wait for. 4 KiB or more; the default is 64 KiB.
    public var inputHighWaterByteCount = 64 * 1024

    /// The bytes of waiting output, in user memory, above which ``Connection/isCongested`` is true
    /// and the writer should pause. File ranges do not count. 1 or more; the default is 256 KiB.
    public var outputHighWaterByteCount = 256 * 1024

    /// The bytes of waiting output at which a congested connection calls ``Connection/onDrained``.
    /// 0 to ``outputHighWaterByteCount``; the default is 64 KiB.
    public var outputLowWaterByteCount = 64 * 1024

    /// The most bytes of output that may wait. A write that would exceed it fails with `ENOBUFS`.
    /// ``outputHighWaterByteCount`` or more; the default is 64 MiB.
    public var outputLimitByteCount = 64 * 1024 * 1024

    /// How long the peer may send nothing while input is wanted: while a receive handler is set and
    /// not paused, or a reader waits. More than 0; nil, the default, sets no limit.
    public var inputTimeout: Duration?

    /// How long the peer may take none of the waiting output. More than 0; nil, the default, sets
    /// no limit.
    public var outputTimeout: Duration?

    /// How long ``Connection/close()->()`` may take to send the waiting output. More than 0; the
    /// default is 30 seconds.
    public var closeTimeout = Duration.seconds(30)

    /// After a closing connection has sent everything, how long the peer may send nothing before it
    /// ends its side. Input is read and discarded meanwhile, for at most ``closeTimeout``;
    /// otherwise the kernel would respond to it with a reset, and the peer would lose what it has
    /// not read yet. 0 or more; the default is 2 seconds.
    public var lingerTimeout = Duration.seconds(2)

    /// How long a connection without ``Connection/onEndOfInput`` stays open after its peer has
    /// ended its side, when responses may still be due, nothing is written and nothing waits to be
    /// sent. More than 0; the default is 2 seconds.
    public var halfClosedTimeout = Duration.seconds(2)

    /// Whether small writes are sent at once, even if the peer has not acknowledged the previous
    /// one (`TCP_NODELAY`). The default is true; without it, responses sent in two parts can wait
    /// 40 ms.
    public var sendsAtOnce = true

    /// How long a TCP connection must be idle before the kernel probes the peer (`TCP_KEEPIDLE`),
    /// in whole seconds. 1 second or more; values above 32,767 seconds, the kernel's limit, are
    /// lowered to it. Nil, the default, sends no probes.
    public var keepAliveIdleTime: Duration?

    /// Creates the default configuration.
    public init() {}

    static let minimumInputHighWaterByteCount = 4096

    func check() {
      require(
        inputHighWaterByteCount >= Self.minimumInputHighWaterByteCount,
        "Connection.Configuration: inputHighWaterByteCount must be 4096 or more")
      require(
        outputHighWaterByteCount > 0 && outputLimitByteCount >= outputHighWaterByteCount
          && (0...outputHighWaterByteCount).contains(outputLowWaterByteCount),
        "Connection.Configuration: output marks must be 0 <= low <= high <= limit, high > 0")
      require(
        (inputTimeout.map { $0 > .zero } ?? true) && (outputTimeout.map { $0 > .zero } ?? true)
          && closeTimeout > .zero && lingerTimeout >= .zero && halfClosedTimeout > .zero,
        "Connection.Configuration: timeouts must be more than 0, lingerTimeout 0 or more")
      require(
        keepAliveIdleTime.map { $0 >= .seconds(1) } ?? true,
        "Connection.Configuration: keepAliveIdleTime must be 1 second or more")
    }

    var tcp: SocketCalls.TCPOptions {
      var options = SocketCalls.TCPOptions()
      options.sendsAtOnce = sendsAtOnce
      options.keepAliveIdleTime = keepAliveIdleTime
      return options
    }
  }

  /// The direction of a transfer.
  public enum Direction: Sendable {
    /// From the peer to this side.
    case input
    /// From this side to the peer.
    case output
  }

  /// Why a connection was closed.
  public enum CloseReason: Equatable, Sendable {
    /// Both sides have ended: the peer ended its side, and this side ended too, by
    /// ``Connection/shutdownOutput()`` or, without ``Connection/onEndOfInput``, by itself.
    case endOfInput

    /// ``Connection/close()->()`` sent everything, ``Connection/abort(resetting:)`` was called, or
    /// the loop ended.
    case local

    /// A timeout of the configuration expired. Unsent output is lost. `ETIMEDOUT` from the kernel's
    /// own probes is reported as ``failed(_:)``.
    case timedOut(Direction)

    /// The kernel reported an error: `ECONNRESET` or `EPIPE` when the peer has gone away. Unsent
    /// output is lost.
    case failed(Errno)
  }
}
