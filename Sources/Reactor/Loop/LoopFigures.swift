public import PosixAIO

extension EventLoop {
  /// What a loop has done so far. What its files do is told by
  /// ``/PosixAIO/CompletionQueue/figures``.
  public struct Figures: Equatable, Sendable {
    /// Turns of the loop's own run calls; a base that C code runs does not tell.
    public var turnCount: UInt64 = 0
    /// Calls made for other threads.
    public var callCount: UInt64 = 0
    /// Parts of tasks run, from one `await` to the next.
    public var jobCount: UInt64 = 0
    /// Bytes of files that went from the page cache to sockets without a copy, by `sendfile(2)`.
    public var uncopiedFileByteCount: UInt64 = 0
    /// Bytes of files that were copied on their way to sockets: small ranges, and what was not in
    /// the page cache.
    public var copiedFileByteCount: UInt64 = 0
    /// How much later than due timers were called. A few milliseconds are libevent's clock; what is
    /// beyond that, callbacks kept the loop for.
    public var timerLags = Histogram()
    /// How long turns took in which completions, calls or tasks were over their share: from there
    /// to the next turn, which is what a socket waits under load.
    public var busyTurnTimes = Histogram()

    /// No figures yet.
    init() {}
  }

  /// The figures at this moment. Reading them costs the reader; keeping them costs no call.
  public var figures: Figures {
    core.checkThread()
    var figures = core.counters.figures
    figures.jobCount = core.executor.jobCount
    return figures
  }

  /// Where the parts of a loop keep its figures.
  final class Counters {
    #if !DEBUG
      @safe @exclusivity(unchecked)
    #endif
    var figures = Figures()
  }
}
