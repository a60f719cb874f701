public import PosixAIO

extension EventLoop {
  /// What a loop has done so far. ``/PosixAIO/CompletionQueue/statistics`` has its file operations.
  public struct Statistics: Equatable, Sendable {
    /// The number of turns of the loop's own run calls. Turns of a base that C code runs are not
    /// counted.
    public var turnCount: UInt64 = 0
    /// The number of calls made for other threads.
    public var callCount: UInt64 = 0
    /// The number of parts of tasks that ran, from one `await` to the next.
    public var jobCount: UInt64 = 0
    /// The number of bytes of files that went from the page cache to sockets without a copy, by
    /// `sendfile(2)`.
    public var uncopiedFileByteCount: UInt64 = 0
    /// The number of bytes of files that were copied on their way to sockets: small ranges, and
    /// what was not in the page cache.
    public var copiedFileByteCount: UInt64 = 0
    /// How late timers were called. A few milliseconds come from libevent's clock; callbacks that
    /// occupied the loop cause the rest.
    public var timerLags = DurationHistogram()
    /// How long turns with too many completions, calls or tasks took: from the moment at which a
    /// budget was used up to the next turn. A socket waits that long under load.
    public var busyTurnTimes = DurationHistogram()

    /// Starts at zero.
    init() {}
  }

  /// The statistics at this moment. Reading them copies histograms; keeping them makes no system
  /// call.
  public var statistics: Statistics {
    core.checkThread()
    var statistics = core.counters.statistics
    statistics.jobCount = core.executor.jobCount
    return statistics
  }

  /// Holds the statistics that the parts of a loop update.
  final class Counters {
    #if !DEBUG
      @safe @exclusivity(unchecked)
    #endif
    var statistics = Statistics()
  }
}
