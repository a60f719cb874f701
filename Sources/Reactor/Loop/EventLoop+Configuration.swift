public import PosixAIO

extension EventLoop {
  /// The limits of a loop.
  public struct Configuration: Sendable {
    /// The limits of the file operations.
    /// ``/PosixAIO/CompletionQueue/Configuration/completionsPerDrain`` bounds the file completions
    /// in one turn of the loop, so that timers and calls of other threads get their share. Here it
    /// is 64 unless set: a tenth of a millisecond with cached reads of 4 KiB.
    public var queue = Self.queueOfALoop

    /// The same, 1 or more, while sockets or other descriptors are watched beside the loop's own,
    /// in a borrowed base whatever its owner has added. 16 unless set.
    public var completionsPerSharedTurn = 16

    /// The reads among them that the page cache is asked for, 1 or more. 4 unless set: with 4 KiB
    /// each that is 8 microseconds, half the round trip of a message, and takes a fifth of their
    /// rate. Where latency does not matter, set both to what ``queue`` has.
    public var cachedReadsPerSharedTurn = 4

    /// The most helper threads for calls on files that POSIX AIO does not have, such as `open(2)`,
    /// and as many for ``EventLoop/offload(_:_:)``, 1 or more. Look-ups of names have 4 of their
    /// own, and waits for locks 16, so that none of the four keeps another waiting.
    public var offloadThreadLimit = 4

    /// The most calls for all of them that have not ended, 1 or more. Over it they are refused with
    /// `EAGAIN`, except those that give something back, such as closing a file.
    public var offloadLimit = 65_536

    /// The most calls of other threads that the loop makes in one turn, 1 or more.
    public var callsPerTurn = 256

    /// The most parts of tasks that it runs in one turn, 1 or more: what a task does from one
    /// `await` to the next.
    public var jobsPerTurn = 256

    /// The most calls of other threads that wait. Over it ``Remote/execute(_:)`` refuses.
    public var waitingCallLimit = 1 << 20

    /// Whether ranges of files that are in the page cache go to sockets without a copy, by
    /// `sendfile(2)`; true by default. That takes a kernel of 6.5 or newer, and a file that the
    /// process owns or may write to: of others `cachestat(2)` does not tell what is cached.
    /// ``Statistics/uncopiedFileByteCount`` tells whether it is so. What is not sent in this way is
    /// copied; the bytes are the same.
    public var sendsFilesWithoutCopy = true

    /// How long the end of a loop that is cut off waits for what cannot be cancelled, 0 or more:
    /// calls that a helper thread has begun, tasks that have not noticed their cancellation, and
    /// operations that the kernel has begun on regular files. 1 second by default.
    public var cancellationGracePeriod = Duration.seconds(1)

    /// The limits as they are unless set.
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
