public import PosixAIO

extension EventLoop {
  /// Counts and times of a loop. ``/PosixAIO/CompletionQueue/statistics`` covers its file
  /// operations.
  public struct Statistics: Equatable, Sendable {
    /// The number of turns in the loop's own run calls. Turns of a base that C code runs are not
    /// counted.
    public var turnCount: UInt64 = 0
    /// The number of calls made for other threads.
    public var callCount: UInt64 = 0
    /// The number of task jobs that ran. A job is the part of a task from one `await` to the next.
    public var jobCount: UInt64 = 0
    /// The number of file bytes sent from the page cache to sockets without a copy, by
    /// `sendfile(2)`.
    public var uncopiedFileByteCount: UInt64 = 0
    /// The number of file bytes copied on their way to sockets: small ranges, and data that was not
    /// in the page cache.
    public var copiedFileByteCount: UInt64 = 0
    /// How late timers fired. A few milliseconds come from libevent's clock; the rest is caused by
    /// callbacks that occupied the loop.
    public var timerLags = DurationHistogram()
    /// How long turns with too many completions, calls or jobs took, from the moment a budget was
    /// used up to the next turn. Under load a socket waits that long.
    public var busyTurnTimes = DurationHistogram()

    /// Starts at zero.
    init() {}
  }

  /// The current statistics. Reading them copies the histograms. Maintaining them makes no system
  /// calls.
  public var statistics: Statistics {
    core.checkThread()
    var statistics = core.counters.statistics
    statistics.jobCount = core.executor.jobCount
    return statistics
  }

  /// Holds the statistics, which several parts of a loop update.
  final class Counters {
    #if !DEBUG
      @safe @exclusivity(unchecked)
    #endif
    var statistics = Statistics()
  }
}
