extension CompletionQueue {
  /// What a queue has done so far, and what it has in hand.
  public struct Figures: Equatable, Sendable {
    /// Operations that glibc holds now.
    public var inFlightCount = 0
    /// Requests accepted and not handed to glibc yet.
    public var waitingCount = 0
    /// Bytes in the buffers of unfinished requests.
    public var heldByteCount = 0
    /// Handlers called.
    public var completedCount: UInt64 = 0
    /// Bytes read and written.
    public var transferredByteCount: UInt64 = 0
    /// Reads that the page cache answered, without a helper thread.
    public var cacheHitCount: UInt64 = 0
    /// Writes that another write's operation carried along.
    public var mergedWriteCount: UInt64 = 0
    /// Syncs that another sync's operation served.
    public var mergedSyncCount: UInt64 = 0
    /// Hand-overs to glibc.
    public var groupCount: UInt64 = 0
    /// Signals seen, each of them for one group.
    public var signalCount: UInt64 = 0
    /// Signals among them that landed on threads which do not block the signal.
    public var strayCount: UInt64 = 0
    /// Operations found done by the backstop timer, since no signal had announced them.
    public var rescuedCount: UInt64 = 0
    /// Calls of `drain` that called a handler.
    public var wakeCount: UInt64 = 0
    /// Requests answered before glibc was done with them, as a deadline or a cancellation asked.
    public var abandonedCount: UInt64 = 0
    /// From acceptance to the hand-over to glibc.
    public var waitingTimes = Histogram()
    /// From the hand-over to the completion.
    public var serviceTimes = Histogram()

    /// Completions for each call of `drain` that had any.
    public var completionsPerWake: Double {
      wakeCount == 0 ? 0 : Double(completedCount) / Double(wakeCount)
    }
  }

  /// The figures at this moment. Reading them costs the reader; keeping them costs next to nothing.
  public var figures: Figures {
    var figures = books.counters
    figures.inFlightCount = inFlightCount
    figures.waitingCount = waitingCount
    figures.heldByteCount = books.heldByteCount
    figures.strayCount = signal.strayCount
    return figures
  }
}

/// Is told what a queue does, for exporters of metrics. A queue without an observer pays nothing.
///
/// Called from ``CompletionQueue/drain(limit:)`` between two handlers, and may do what a handler
/// may: make requests, cancel, close, set another observer. It must not call `drain`.
public protocol CompletionQueueObserver: AnyObject {
  /// An operation has come back from glibc.
  ///
  /// - Parameters:
  ///   - queue: The queue that ran it.
  ///   - operation: What it was.
  ///   - waiting: From acceptance to the hand-over.
  ///   - service: From the hand-over to the completion.
  func queue(
    _ queue: CompletionQueue, finished operation: FileError.Operation, waiting: Duration,
    service: Duration)
}

extension CompletionQueue {
  /// What the observer is to be told, in nanoseconds.
  struct Observation {
    let operation: FileError.Operation
    let waiting: UInt64
    let service: UInt64
  }

  /// Tells the observer what has come back, when no change is under way.
  func tellObserver() {
    while !books.observations.isEmpty {
      var told: [Observation] = []
      swap(&told, &books.observations)
      for observation in told {
        // Asked each time: it may go, or be replaced, meanwhile.
        observer?.queue(
          self, finished: observation.operation,
          waiting: .nanoseconds(Int64(clamping: observation.waiting)),
          service: .nanoseconds(Int64(clamping: observation.service)))
      }
      guard books.observations.isEmpty else { continue }
      told.removeAll(keepingCapacity: true)
      swap(&told, &books.observations)
    }
  }
}
