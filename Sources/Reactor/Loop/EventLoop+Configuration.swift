public import PosixAIO

extension EventLoop {
  /// The limits of a loop.
  public struct Configuration: Sendable {
    /// The limits of file operations.
    /// ``/PosixAIO/CompletionQueue/Configuration/completionsPerDrain`` bounds the file completions
    /// in one turn of the loop, so that timers and calls from other threads get their share. In a
    /// loop the default is 64, which takes a tenth of a millisecond with cached reads of 4 KiB.
    public var queue = Self.queueOfALoop

    /// The most file completions in one turn while sockets or other descriptors are watched, 1 or
    /// more. In a borrowed base, any event that the base's owner has added counts as well. The
    /// default is 16.
    public var completionsPerSharedTurn = 16

    /// The most reads in such a turn that are tried from the page cache, 1 or more. The default is
    /// 4: with 4 KiB each they take 8 microseconds, half the round trip of a message, and the limit
    /// costs a fifth of their rate. If latency does not matter, set both limits to the one in
    /// ``queue``.
    public var cachedReadsPerSharedTurn = 4

    /// The most helper threads for file calls that POSIX AIO does not offer, such as `open(2)`, and
    /// also the most for ``EventLoop/offload(_:_:)``, 1 or more. The default is 4. Name look-ups
    /// have 4 threads of their own, and waits for locks 16, so that none of the four kinds delays
    /// another.
    public var offloadThreadLimit = 4

    /// The most unfinished calls on all helper threads together, 1 or more. The default is 65 536.
    /// Calls over the limit fail with `EAGAIN`, except those that release a resource, such as
    /// closing a file.
    public var offloadLimit = 65_536

    /// The most calls from other threads in one turn, 1 or more. The default is 256.
    public var callsPerTurn = 256

    /// The most task jobs in one turn, 1 or more. A job is the part of a task from one `await` to
    /// the next. The default is 256.
    public var jobsPerTurn = 256

    /// The most pending calls from other threads, 1 or more. Over it ``Remote/execute(_:)`` returns
    /// false. The default is 1 048 576.
    public var waitingCallLimit = 1 << 20

    /// Whether file ranges in the page cache are sent to sockets without a copy, by `sendfile(2)`.
    /// The default is true. This requires Linux 6.5, and a file that the process owns or may write
    /// to: for other files `cachestat(2)` does not report what is cached. Other data is copied; the
    /// bytes are the same. ``Statistics/uncopiedFileByteCount`` shows how much was sent without a
    /// copy.
    public var sendsFilesWithoutCopy = true

    /// How long a loop that is cut off waits for work that cannot be cancelled, 0 or more: calls
    /// that a helper thread has started, tasks that have not noticed their cancellation, and kernel
    /// operations on regular files. The default is 1 second.
    public var cancellationGracePeriod = Duration.seconds(1)

    /// Creates the default configuration.
    public init() {}

    private static let queueOfALoop = {
      var queue = CompletionQueue.Configuration()
      queue.completionsPerDrain = 64
      return queue
    }()

    func check() {
      require(
        completionsPerSharedTurn > 0 && cachedReadsPerSharedTurn > 0 && callsPerTurn > 0
          && jobsPerTurn > 0 && waitingCallLimit > 0 && offloadLimit > 0,
        "EventLoop.Configuration: limits are 1 or more")
      require(
        cancellationGracePeriod >= .zero,
        "EventLoop.Configuration: cancellationGracePeriod is 0 or more")
    }
  }
}
