extension CompletionQueue {
  /// The limits and options of a queue. Each number has its unit in its name or its type.
  public struct Configuration: Sendable {
    /// What happens to a request when ``inFlightLimit`` operations are in flight.
    public enum Overflow: Sendable {
      /// The request waits in the queue, up to ``waitingLimit`` and ``heldByteLimit``.
      case wait
      /// The request is refused with `EAGAIN`, and nothing is started.
      case refuse
    }

    /// The most operations that glibc holds at a time, 1 or more. Later ones wait in the queue.
    public var inFlightLimit = 256

    /// The same for one file, 1 or more, so that a file on a slow disk leaves room for others.
    public var inFlightLimitPerFile = 64

    /// What happens to requests over ``inFlightLimit``.
    public var overflow = Overflow.wait

    /// The most requests that wait for submission, 0 or more. A request over this limit is refused
    /// with `EAGAIN`, and nothing is started.
    public var waitingLimit = 65_536

    /// The most bytes in the buffers of all unfinished requests, 0 or more. A request over this
    /// limit is refused with `EAGAIN`, and nothing is started; but a single request may be larger.
    public var heldByteLimit = 1 << 30

    /// The most descriptors of one file, 1 or more: how many of its operations can run at a time.
    ///
    /// A slow file can occupy this many of glibc's helper threads, and all pipes together up to
    /// twice ``blockingFileLimit``; ``aioThreadLimit`` leaves some for other files. The descriptors
    /// after the first are duplicates that are opened on demand. With 1 there are no duplicates:
    /// use that for files that the process has locked with `fcntl(F_SETLK)`, since closing any
    /// duplicate releases such locks. A socket with 1 cannot be written to while a read waits for
    /// data.
    public var lanesPerFile = 16

    /// The most pipes, sockets and terminals with a read in flight, and the most with a write in
    /// flight, 1 or more.
    ///
    /// These operations can occupy twice this many helper threads forever, so keep the value well
    /// below half of ``aioThreadLimit``. Reads never hold up writes, nor writes reads, even with a
    /// limit of 1. One file has at most `inFlightLimit / 4 / blockingFileLimit` reads in flight,
    /// but at least 1, and at most 1 write.
    public var blockingFileLimit = 4

    /// The most helper threads that glibc may start for this process, 1 or more, as set by
    /// `aio_init(3)`; nil keeps glibc's default of 20.
    ///
    /// It takes effect only before the first operation of the process. Do not set it much above
    /// ``lanesPerFile``: glibc ends a helper that finds its work taken by another one, and starts a
    /// new one for the next request, and does so again and again if it may have many.
    public var aioThreadLimit: Int? = 28

    /// Whether reads try the page cache before they use a helper thread. The results are the same.
    public var readsCacheFirst = true

    /// Whether adjacent writes that wait together become one operation. The results are the same.
    public var mergesWrites = true

    /// The most handlers that one `drain` calls by default, 1 or more, so that many cached reads in
    /// a row do not starve the loop.
    public var completionsPerDrain = 256

    /// The real-time signal to use, `SIGRTMIN...SIGRTMAX`; nil takes a free one.
    public var signal: Int32?

    /// How long a completion can go unnoticed while signals get lost; greater than 0.
    public var backstopFloor = Duration.milliseconds(10)

    /// The same while no signals get lost, at least ``backstopFloor``. The timer runs only while
    /// operations are in flight.
    public var backstopCeiling = Duration.milliseconds(320)

    /// Creates the default configuration.
    public init() {}

    func check() {
      require(
        inFlightLimit > 0 && inFlightLimitPerFile > 0 && lanesPerFile > 0 && blockingFileLimit > 0
          && completionsPerDrain > 0 && waitingLimit >= 0 && heldByteLimit >= 0
          && aioThreadLimit ?? 1 > 0,
        """
        CompletionQueue.Configuration: limits must be 1 or more, waitingLimit and heldByteLimit 0 \
        or more
        """)
      require(
        backstopFloor > .zero && backstopFloor <= backstopCeiling,
        "CompletionQueue.Configuration: 0 < backstopFloor <= backstopCeiling must hold")
    }
  }
}
