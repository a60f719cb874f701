internal import PosixAIO
internal import Reactor

extension HTTPServer {
  /// The limits of a server.
  public struct Configuration: Sendable {
    /// The largest size in bytes of a request line and header together. A longer request line gets
    /// a 414, a larger header a 431. The trailer of a body has the same limit of its own. The range
    /// is 64 to 1 MiB; the default is 16 KiB.
    public var headByteLimit = 16 * 1024

    /// The most fields in a header. A header with more gets a 431. The range is 1 or more; the
    /// default is 100.
    public var headerFieldLimit = 100

    /// The largest size in bytes of the body of a request. A larger body gets a 413, before it is
    /// sent if the client announces its length. This limit is a policy and does not bound memory,
    /// because bodies are not held in memory. The range is 0 or more; by default there is no limit.
    public var bodyByteLimit = Int64.max

    /// The bytes that a connection holds of the input that a client sends ahead; the kernel holds
    /// the rest. The range is 4 KiB or more; the default is 64 KiB. There is always room for a
    /// head.
    public var inputByteCount = 64 * 1024

    /// The most open connections. Further clients wait in the queue of the kernel, limited by
    /// ``backlog``, until a connection closes. The range is 1 or more; the default is 1000.
    public var connectionLimit = 1000

    /// The most open connections of one IP address, so that one client cannot take all of them. All
    /// addresses of an IPv6 network of 64 bits count as one; clients of a Unix socket are not
    /// limited. A further connection is closed at once, without a response. The range is 1 or more;
    /// by default there is no limit.
    public var connectionLimitPerAddress = Int.max

    /// Whether ``connectionLimitPerAddress`` also holds for the loopback addresses, from which a
    /// proxy connects for many clients. The default is true.
    public var limitsLoopback = true

    /// Fields that each response begins with, also those that the server sends without the handler.
    /// They must not include `Date`, `Connection`, `Content-Length` or `Transfer-Encoding`. The
    /// default is empty.
    public var responseHeaders = HeaderFields()

    /// How long a client may stall before its connection is closed: while it sends no byte of a
    /// request, which includes an idle kept-alive connection, or while it takes no byte of a
    /// response. The time does not run while the handler works. Busy connections are checked once a
    /// second, so the timeout may take up to a second longer. The range is 1 millisecond or more;
    /// the default is 30 seconds.
    public var inactivityTimeout = Duration.seconds(30)

    /// How long a request may take to arrive, plus the time that its bytes take at
    /// ``minimumRequestByteRate``. A client that sends a byte now and then cannot keep its
    /// connection that way. A head that takes longer gets a 408, and the reader of a body gets
    /// ``RequestBody/Failure/timedOut``. The range is 1 millisecond or more; the default is 30
    /// seconds.
    public var requestTimeout = Duration.seconds(30)

    /// The rate in bytes per second by which received bytes extend ``requestTimeout``. The range is
    /// 1 or more; the default is 1024.
    public var minimumRequestByteRate = 1024

    /// How long a client may take to accept written output, plus the time that the bytes take at
    /// ``minimumResponseByteRate``. The range is 1 millisecond or more; the default is 30 seconds.
    public var responseTimeout = Duration.seconds(30)

    /// The rate in bytes per second by which accepted bytes extend ``responseTimeout``. The range
    /// is 1 or more; the default is 1024.
    public var minimumResponseByteRate = 1024

    /// How long a client may pause while it takes a response, beyond ``inactivityTimeout``. The
    /// pause is limited to the time by which the client is ahead of ``minimumResponseByteRate``. A
    /// media player that pauses therefore keeps its connection. The range is 0 or more; the default
    /// is 120 seconds.
    public var responsePauseLimit = Duration.seconds(120)

    /// Whether other servers of this process and user may listen on the same port; the kernel
    /// distributes new clients among them. The default is false. Wraps `SO_REUSEPORT`.
    public var reusesPort = false

    /// Whether listening fails with `EADDRINUSE` if others already share the port: for the first
    /// server of a group with ``reusesPort``. The default is false.
    public var requiresFreePort = false

    /// The most clients that the kernel holds until they are accepted, as in `listen(2)`. The
    /// `somaxconn` of the kernel also limits it. The range is 1 or more; the default is 128.
    public var backlog = 128

    /// Creates the default configuration.
    public init() {}

    private static let headByteRange = 64...1024 * 1024

    /// How long a closing connection reads from a client that keeps sending, so the client sees the
    /// response.
    private static let lingerTimeout = Duration.seconds(2)

    func check() {
      require(
        Self.headByteRange.contains(headByteLimit),
        "HTTPServer.Configuration: headByteLimit is 64 bytes to 1 MiB")
      require(
        headerFieldLimit > 0 && connectionLimit > 0 && connectionLimitPerAddress > 0 && backlog > 0,
        """
        HTTPServer.Configuration: headerFieldLimit, connectionLimit, connectionLimitPerAddress and \
        backlog are 1 or more
        """)
      require(
        responseHeaders.notable.isEmpty,
        """
        HTTPServer.Configuration: responseHeaders have no Date, Connection, Content-Length or \
        Transfer-Encoding
        """)
      require(bodyByteLimit >= 0, "HTTPServer.Configuration: bodyByteLimit is 0 or more")
      require(
        shortestTimeout >= .milliseconds(1) && responsePauseLimit >= .zero,
        "HTTPServer.Configuration: timeouts are 1 ms or more, responsePauseLimit 0 or more")
      require(
        minimumRequestByteRate > 0 && minimumResponseByteRate > 0,
        "HTTPServer.Configuration: rates are 1 byte per second or more")
    }

    var shortestTimeout: Duration { min(inactivityTimeout, requestTimeout, responseTimeout) }

    var headLimits: HeadLimits {
      HeadLimits(headByteCount: headByteLimit, fieldCount: headerFieldLimit)
    }

    /// The configuration of the listeners and their connections. The server itself enforces the
    /// timeouts.
    var listener: Listener.Configuration {
      var listener = Listener.Configuration()
      listener.backlog = backlog
      listener.reusesPort = reusesPort
      listener.requiresFreePort = requiresFreePort
      listener.connectionLimit = .max
      listener.connection.inputHighWaterByteCount = max(inputByteCount, headByteLimit + 1)
      // Writers learn from their completions that the client is slower than they are.
      listener.connection.outputLimitByteCount = .max
      listener.connection.lingerTimeout = Self.lingerTimeout
      return listener
    }
  }
}
