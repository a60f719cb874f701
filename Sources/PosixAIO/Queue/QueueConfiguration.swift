extension CompletionQueue {
  /// The limits of a queue. Every number has its unit in its name or its type.
  public struct Configuration: Sendable {
    /// The most requests that glibc holds at a time, 1 or more. Later ones wait in the queue.
    public var inFlightLimit = 128

    /// The most requests that wait to be handed over. Over it a request is refused with `EAGAIN`,
    /// and nothing is started.
    public var waitingLimit = 65_536

    /// The real-time signal to use, `SIGRTMIN...SIGRTMAX`; nil takes a free one.
    public var signal: Int32?

    /// How long a completion whose signal was lost stays unseen while signals do get lost.
    public var backstopFloor = Duration.milliseconds(10)

    /// The same while no signal is lost. The timer runs only while something is in flight.
    public var backstopCeiling = Duration.milliseconds(320)

    /// The limits as they are unless set.
    public init() {}
  }

  /// What a queue has done so far.
  public struct Figures: Equatable, Sendable {
    /// Requests that glibc holds now.
    public var inFlightCount: Int
    /// Requests accepted and not handed to glibc yet.
    public var waitingCount: Int
    /// Handlers called.
    public var completedCount: UInt64
    /// Hand-overs to glibc.
    public var groupCount: UInt64
    /// Signals seen, each of them for one group.
    public var signalCount: UInt64
    /// Signals among them that landed on threads which do not block the signal.
    public var strayCount: UInt64
    /// Operations found done by the backstop timer, since no signal had announced them.
    public var rescuedCount: UInt64
  }

  struct Counters {
    var completed: UInt64 = 0
    var groups: UInt64 = 0
    var signals: UInt64 = 0
    var rescued: UInt64 = 0
  }

  /// The figures at this moment.
  public var figures: Figures {
    Figures(
      inFlightCount: inFlightCount,
      waitingCount: waitingCount,
      completedCount: counters.completed,
      groupCount: counters.groups,
      signalCount: counters.signals,
      strayCount: signal.strayCount,
      rescuedCount: counters.rescued)
  }
}
