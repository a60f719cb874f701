extension CompletionQueue {
  /// The limits and manners of a queue. Every number has its unit in its name or its type.
  public struct Configuration: Sendable {
    /// What happens to a request when as many as may be are in flight.
    public enum Overflow: Sendable {
      /// It waits in the queue, up to ``waitingLimit`` and ``heldByteLimit``.
      case wait
      /// It is refused with `EAGAIN`, and nothing is started.
      case refuse
    }

    /// The most operations that glibc holds at a time, 1 or more. Later ones wait in the queue.
    public var inFlightLimit = 256

    /// The same for one file, so that one on a slow disk leaves room for others.
    public var inFlightLimitPerFile = 64

    /// What happens to requests over ``inFlightLimit``.
    public var overflow = Overflow.wait

    /// The most requests that wait to be handed over. Over it a request is refused with `EAGAIN`,
    /// and nothing is started.
    public var waitingLimit = 65_536

    /// The most bytes in the buffers of all unfinished requests. Over it a request is refused with
    /// `EAGAIN`, and nothing is started; a single request may be larger.
    public var heldByteLimit = 1 << 30

    /// The most descriptors of one file, 1 or more: how many of its operations can run at a time.
    /// A slow file can keep so many of glibc's helper threads, and all pipes together
    /// ``streamLimit``; ``helperLimit`` leaves some for the other files. Those behind the first are
    /// duplicates, opened when they are needed. With 1 there is none: for files that the process
    /// has locked with `fcntl(F_SETLK)`, since closing any duplicate releases such locks; and a
    /// read that waits for a socket then blocks the writes to it.
    public var lanesPerFile = 16

    /// The most pipes, sockets and terminals that may have a read in flight at a time, and the most
    /// that may have a write in flight: twice as many helper threads can be kept for ever, so this
    /// is well below half of ``helperLimit``. Reads never keep writes waiting, nor writes reads,
    /// also with a limit of 1. Of one direction of a stream at most `inFlightLimit / 4 /
    /// streamLimit` operations are in flight, at least 1, and of writes 1.
    public var streamLimit = 4

    /// The most helper threads that glibc may start for this process, set by `aio_init(3)`; nil
    /// leaves glibc's default of 20. It counts only before the first operation of the process. Not
    /// much above ``lanesPerFile``: glibc ends a helper that finds its work taken by another and
    /// makes a new one for the next, again and again where it may have many.
    public var helperLimit: Int? = 28

    /// Whether reads are tried in the page cache first, without a helper thread. Results are the
    /// same either way.
    public var readsCacheFirst = true

    /// Whether writes to adjacent places that wait together become one operation. Results are the
    /// same either way.
    public var mergesWrites = true

    /// The most handlers that one `drain` calls unless it is told otherwise, so that a stream of
    /// cached reads leaves the loop its turns.
    public var completionsPerDrain = 256

    /// The real-time signal to use, `SIGRTMIN...SIGRTMAX`; nil takes a free one.
    public var signal: Int32?

    /// How long a completion whose signal was lost stays unseen while signals do get lost.
    public var backstopFloor = Duration.milliseconds(10)

    /// The same while no signal is lost. The timer runs only while something is in flight.
    public var backstopCeiling = Duration.milliseconds(320)

    /// The limits as they are unless set.
    public init() {}

    func check() {
      require(
        inFlightLimit > 0 && inFlightLimitPerFile > 0 && lanesPerFile > 0 && streamLimit > 0
          && completionsPerDrain > 0 && waitingLimit >= 0 && heldByteLimit >= 0
          && helperLimit ?? 1 > 0,
        "CompletionQueue.Configuration: limits are 1 or more; those of waiting 0 or more")
      require(
        backstopFloor > .zero && backstopFloor <= backstopCeiling,
        "CompletionQueue.Configuration: 0 < backstopFloor <= backstopCeiling")
    }
  }
}
