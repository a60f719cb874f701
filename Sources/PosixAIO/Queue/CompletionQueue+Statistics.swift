extension CompletionQueue {
  /// What a queue holds at one moment, and what it has done so far.
  public struct Statistics: Equatable, Sendable {
    /// The number of operations that glibc holds.
    public var inFlightCount = 0
    /// The number of requests not yet submitted to glibc.
    public var waitingCount = 0
    /// The number of bytes in the buffers of unfinished requests.
    public var heldByteCount = 0
    /// The number of handlers called.
    public var completedCount: UInt64 = 0
    /// The number of bytes read and written.
    public var transferredByteCount: UInt64 = 0
    /// The number of reads that the page cache served, without a helper thread.
    public var cacheHitCount: UInt64 = 0
    /// The number of writes that were merged into another write's operation.
    public var mergedWriteCount: UInt64 = 0
    /// The number of syncs that another sync's operation served.
    public var mergedSyncCount: UInt64 = 0
    /// The number of submissions to glibc.
    public var groupCount: UInt64 = 0
    /// The number of signals received; each announces one group.
    public var signalCount: UInt64 = 0
    /// The number of those signals that arrived on threads which do not block the signal.
    public var strayCount: UInt64 = 0
    /// The number of ended operations that the backstop timer found because their signal was lost.
    public var rescuedCount: UInt64 = 0
    /// The number of `drain` calls that called a handler.
    public var wakeCount: UInt64 = 0
    /// The number of requests that completed before glibc was done with them, because of a deadline
    /// or a cancellation.
    public var abandonedCount: UInt64 = 0
    /// The times from acceptance to submission.
    public var waitingTimes = DurationHistogram()
    /// The times from submission to completion.
    public var serviceTimes = DurationHistogram()

    /// The mean number of completions per `drain` call that had any.
    public var completionsPerWake: Double {
      wakeCount == 0 ? 0 : Double(completedCount) / Double(wakeCount)
    }
  }

  /// The statistics at this moment. Reading them allocates memory; keeping them costs almost
  /// nothing. Traps on any thread but the queue's.
  public var statistics: Statistics {
    checkThread()
    var statistics = hot.counters
    statistics.inFlightCount = inFlightCount
    statistics.waitingCount = waitingCount
    statistics.heldByteCount = hot.heldByteCount
    statistics.strayCount = signal.strayCount
    return statistics
  }
}

/// Observes a queue, for exporters of metrics. A queue without an observer does no work for it.
///
/// Called from ``CompletionQueue/drain(limit:)``, between handlers. An observer may do what a
/// handler may: make requests, cancel, close, and set another observer. It must not call `drain`.
public protocol CompletionQueueObserver: AnyObject {
  /// An operation has come back from glibc.
  ///
  /// - Parameters:
  ///   - queue: The queue that ran it.
  ///   - operation: Its kind.
  ///   - waiting: The time from acceptance to submission.
  ///   - service: The time from submission to completion.
  func queue(
    _ queue: CompletionQueue, finished operation: FileError.Operation, waiting: Duration,
    service: Duration)
}

extension CompletionQueue {
  /// A report to the observer. Times are in nanoseconds.
  struct Observation {
    let operation: FileError.Operation
    let waiting: UInt64
    let service: UInt64
  }

  /// Reports to the observer, while no change of state is in progress.
  func tellObserver() {
    while !hot.observations.isEmpty {
      var told: [Observation] = []
      swap(&told, &hot.observations)
      for observation in told {
        // Read each time: a report may remove or replace the observer.
        observer?.queue(
          self, finished: observation.operation,
          waiting: .nanoseconds(Int64(clamping: observation.waiting)),
          service: .nanoseconds(Int64(clamping: observation.service)))
      }
      guard hot.observations.isEmpty else { continue }
      told.removeAll(keepingCapacity: true)
      swap(&told, &hot.observations)
    }
  }
}
