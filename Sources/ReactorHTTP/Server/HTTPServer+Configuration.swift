internal import PosixAIO
internal import Reactor

extension HTTPServer {
  /// The limits of a server.
  public struct Configuration: Sendable {
    /// The bytes that a request line and header may have together. A longer request line is
    /// answered 414, a larger header 431. The trailer of a body may have as many. 64 to 1 MiB; 16
    /// KiB unless set.
    public var headByteLimit = 16 * 1024

    /// The fields that a header may have. One with more is answered 431. 1 or more; 100 unless set.
    public var headerFieldLimit = 100

    /// The bytes that the body of a request may have. A larger one is answered 413, before it is
    /// sent if the client announces its length. A policy, and no bound of memory: bodies are not
    /// held. 0 or more; without a limit unless set.
    public var bodyByteLimit = Int64.max

    /// The bytes that a client may send ahead of what is asked for: as many are held for it, and
    /// the rest by the kernel. 4 KiB or more; 64 KiB unless set, and room for a head in any case.
    public var inputByteCount = 64 * 1024

    /// The connections that may be open at a time. Further clients wait in the kernel's queue of
    /// ``backlog`` until one closes. 1 or more; 1000 unless set.
    public var connectionLimit = 1000

    /// How long a client may stall before its connection is closed: while it sends no byte of a
    /// request (an idle kept-alive connection too), or while it takes no byte of a response. It
    /// does not run while the handler works. Busy connections are looked at once a second, so it
    /// may last up to a second longer. From a millisecond; 30 seconds unless set.
    public var inactivityTimeout = Duration.seconds(30)

    /// How long a request may take to arrive, beside what its bytes take at
    /// ``minimumRequestByteRate``: a client that sends a byte now and then does not keep its
    /// connection by that. A head that takes longer is answered 408, and whoever reads a body gets
    /// ``RequestBody/Failure/timedOut``. From a millisecond; 30 seconds unless set.
    public var requestTimeout = Duration.seconds(30)

    /// The bytes per second that the time of a request is extended for: 1 or more; 1024 unless set.
    public var minimumRequestByteRate = 1024

    /// How long the client may take for what is written to it, beside what the bytes take at
    /// ``minimumResponseByteRate``. From a millisecond; 30 seconds unless set.
    public var responseTimeout = Duration.seconds(30)

    /// The bytes per second that the time of a response is extended for: 1 or more; 1024 unless
    /// set.
    public var minimumResponseByteRate = 1024

    /// How long a client may stop to take a response beyond ``inactivityTimeout``, if it has taken
    /// it so fast before that it is ahead of ``minimumResponseByteRate`` by as much: a player that
    /// pauses does not lose its connection. 0 or more; two minutes unless set.
    public var responsePauseLimit = Duration.seconds(120)

    /// Whether other servers, of this process and user, may listen on the same port; the kernel
    /// deals new clients out to them. False unless set. Wraps `SO_REUSEPORT`.
    public var reusesPort = false

    /// The clients that the kernel holds until they are accepted, as in `listen(2)`; the kernel's
    /// `somaxconn` bounds it too. 1 or more; 128 unless set.
    public var backlog = 128

    /// The limits as they are unless set.
    public init() {}

    private static let headByteRange = 64...1024 * 1024

    /// How long a client that keeps sending is heard out, so that it sees the response that closes
    /// its connection.
    private static let lingerTimeout = Duration.seconds(2)

    func check() {
      require(
        Self.headByteRange.contains(headByteLimit),
        "HTTPServer.Configuration: the limit of a head is 64 bytes to 1 MiB")
      require(
        headerFieldLimit > 0 && connectionLimit > 0 && backlog > 0,
        "HTTPServer.Configuration: fields, connections and backlog are 1 or more")
      require(bodyByteLimit >= 0, "HTTPServer.Configuration: bodyByteLimit is 0 or more")
      require(
        shortestTimeout >= .milliseconds(1) && responsePauseLimit >= .zero,
        "HTTPServer.Configuration: timeouts are a millisecond or more")
      require(
        minimumRequestByteRate > 0 && minimumResponseByteRate > 0,
        "HTTPServer.Configuration: the rates are 1 byte per second or more")
    }

    var shortestTimeout: Duration { min(inactivityTimeout, requestTimeout, responseTimeout) }

    var headLimits: HeadLimits {
      HeadLimits(headByteCount: headByteLimit, fieldCount: headerFieldLimit)
    }

    /// What the connections are made with. Their time-outs are the server's to keep.
    var listener: Listener.Configuration {
      var listener = Listener.Configuration()
      listener.backlog = backlog
      listener.reusesPort = reusesPort
      listener.connectionLimit = .max
      listener.connection.inputHighWaterByteCount = max(inputByteCount, headByteLimit + 1)
      // Who writes more than the client takes is told by its completions.
      listener.connection.outputLimitByteCount = .max
      listener.connection.lingerTimeout = Self.lingerTimeout
      return listener
    }
  }
}
