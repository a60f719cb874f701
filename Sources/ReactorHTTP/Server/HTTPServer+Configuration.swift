extension HTTPServer {
  /// The limits of a server.
  public struct Configuration: Sendable {
    /// The bytes that a request line and header may have together, without line ends. A larger one
    /// is answered 400. 1 or more; 16 KiB unless set.
    public var maximumHeaderByteCount = 16 * 1024

    /// The bytes that the body of a request may have. A larger one is answered 413. evhttp holds a
    /// body in memory until it is complete, so memory is this times the number of clients that
    /// upload. 0 to 1 TiB; 1 MiB unless set.
    public var maximumBodyByteCount = 1024 * 1024

    /// The connections that may be open at a time. Further clients wait in the kernel's queue of
    /// ``backlog`` until one closes. 1 or more; 1000 unless set.
    public var connectionLimit = 1000

    /// How long a client may stall before its connection is closed: while it sends no byte of a
    /// request (an idle kept-alive connection too), or while it takes no byte of an answer. Each
    /// byte starts the time anew, and it does not run while the handler works on an answer. From
    /// a millisecond; 30 seconds unless set. Wraps `evhttp_set_timeout_tv`.
    public var inactivityTimeout = Duration.seconds(30)

    /// How long a request may take to arrive, from its first byte to its last, beside what its
    /// bytes take at ``minimumRequestByteRate``: a client that sends a byte now and then does not
    /// keep its connection by that. Looked at once a second, so it begins and ends up to a second
    /// late. From a millisecond; 30 seconds unless set.
    public var requestTimeout = Duration.seconds(30)

    /// The bytes per second that the time of a request is extended for: 1 or more; 1024 unless set.
    public var minimumRequestByteRate = 1024

    /// How long the client may take for what is written to it, beside what the bytes take at
    /// ``minimumAnswerByteRate``: a client that takes a byte now and then does not keep its
    /// connection and the memory behind it by that. The time begins when the kernel's memory for
    /// the connection is full, and anew each time all is handed over. Looked at once a second, so
    /// it begins and ends up to a second late. From a millisecond; 30 seconds unless set.
    public var answerTimeout = Duration.seconds(30)

    /// The bytes per second that the time of an answer is extended for: 1 or more; 1024 unless set.
    public var minimumAnswerByteRate = 1024

    /// Whether other servers, of this process and user, may listen on the same port; the kernel
    /// deals new clients out to them. False unless set. Wraps `SO_REUSEPORT`.
    public var reusesPort = false

    /// The clients that the kernel holds until they are accepted, as in `listen(2)`; the kernel's
    /// `somaxconn` bounds it too. 1 or more; 128 unless set.
    public var backlog = 128

    /// The limits as they are unless set.
    public init() {}

    private static let largestBodyByteCount = 1 << 40

    func check() {
      precondition(
        maximumHeaderByteCount > 0 && connectionLimit > 0 && backlog > 0,
        "HTTPServer.Configuration: header bytes, connections and backlog are 1 or more")
      precondition(
        maximumBodyByteCount >= 0 && maximumBodyByteCount <= Self.largestBodyByteCount,
        "HTTPServer.Configuration: the maximum of body bytes is 0 to a tebibyte")
      precondition(
        inactivityTimeout >= .milliseconds(1) && requestTimeout >= .milliseconds(1)
          && answerTimeout >= .milliseconds(1),
        "HTTPServer.Configuration: timeouts are a millisecond or more")
      precondition(
        minimumRequestByteRate > 0 && minimumAnswerByteRate > 0,
        "HTTPServer.Configuration: the rates of requests and answers are 1 byte per second or more")
    }
  }
}
