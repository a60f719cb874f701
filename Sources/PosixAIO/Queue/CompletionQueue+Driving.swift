internal import Glibc
public import SystemPackage

/// What an event loop needs to drive a queue.
///
/// A loop has the choice of two forms. A loop that only watches descriptors, such as one over
/// `poll(2)` or libevent, watches ``descriptor`` and calls ``drain(limit:)`` when it is readable. A
/// loop that reads whatever it watches, such as SwiftNIO's, watches the three ``Source``s instead,
/// passes what it reads to ``received(_:from:)``, and then calls
/// ``drainReceived(limit:cachedReadLimit:)``.
extension CompletionQueue {
  /// When a loop that sets ``requestDrain`` has to drain.
  public enum DrainTime: Sendable {
    /// In this turn of the loop, because requests were made outside a drain.
    case thisTurn
    /// In the next turn, after the loop has looked at its other descriptors, because a drain
    /// stopped at its limit.
    case nextTurn
  }

  /// One of the descriptors behind ``descriptor``, for loops that read what they watch.
  public enum Source: Sendable, CaseIterable {
    /// A `signalfd(2)`. Its records are 128 bytes.
    ///
    /// It may turn out to have nothing to read after it was readable, because another thread of the
    /// process has caught the signal meanwhile.
    case signals
    /// A pipe, on which the signal handler passes on signals that other threads catch, and on which
    /// ``wakeUp()`` writes. Its records are 8 bytes.
    case pipe
    /// A `timerfd_create(2)` for deadlines and for signals that were lost. Its record is 8 bytes.
    case timer
  }

  /// The most bytes of a source that one read has to have room for.
  public static let sourceReadByteCount = CompletionSignal.readByteCount

  /// The descriptor of a source. It belongs to the queue, which closes it at its end; a loop that
  /// closes what it watches gets a duplicate. Traps on any thread but the queue's.
  public func descriptor(of source: Source) -> FileDescriptor {
    checkThread()
    let number =
      switch source {
      case .signals: signal.signalDescriptor
      case .pipe: signal.pipeDescriptor
      case .timer: timer.descriptor
      }
    return FileDescriptor(rawValue: number)
  }

  /// Tells the queue what the loop has read from one of its sources. Calls no handlers. Traps on
  /// any thread but the queue's, and for a part of a record.
  ///
  /// - Parameters:
  ///   - bytes: Whole records.
  ///   - source: Where they come from.
  public func received(_ bytes: RawSpan, from source: Source) {
    checkThread()
    guard stage != .retired else { return }
    hot.now = system.now()
    switch source {
    case .signals:
      hot.counters.signalCount += UInt64(signal.receiveSignals(bytes, reapAnnounced))
    case .pipe:
      let (count, overflowed) = signal.receiveFromPipe(bytes, reapAnnounced)
      hot.counters.signalCount += UInt64(count)
      if overflowed { hot.counters.rescuedCount += UInt64(reapEverything()) }
      lookSteps.pipeWasRead(signal)
    case .timer:
      timer.wasRead()
      lookSteps.timerExpired(signal)
    }
  }

  /// As ``drain(limit:)``, for a loop that reads the sources itself.
  ///
  /// - Parameters:
  ///   - limit: The most handlers to call, 0 or more.
  ///   - cachedReadLimit: The most reads to try in the page cache, 0 or more.
  /// - Returns: The number of handlers called.
  @discardableResult
  public func drainReceived(limit: Int? = nil, cachedReadLimit: Int? = nil) -> Int {
    let limit = limit ?? configuration.completionsPerDrain
    return drain(
      limit: limit, cachedReadLimit: cachedReadLimit ?? limit, sources: .readByLoop)
  }

  /// Makes the ``Source/pipe`` readable, and so ``descriptor``. Loops use it to continue after they
  /// have looked at their other descriptors. Traps on any thread but the queue's.
  public func wakeUp() {
    checkThread()
    guard stage != .retired else { return }
    signal.kick()
  }

  /// How a drain learns which sources have something.
  package enum SourceCheck {
    /// It asks the kernel and reads them.
    case polls
    /// Not at all: the loop watches ``descriptor`` and knows that it is not readable.
    case skips
    /// The loop passes on what it has read.
    case readByLoop
  }
}

/// The way from an expired timer to a check of everything in flight, in a loop that reads the
/// sources itself.
///
/// When the timer expires, signals of ended operations may lie in sources that the loop has not
/// read yet. So a check waits until the pipe, which is written to for that purpose, has been read
/// twice: by then the loop has read everything that was there when the timer expired.
struct LookSteps {
  private enum Step {
    case none, expired, readOnce, due
  }

  private var step = Step.none

  /// Whether a check is on its way, so that the timer need not be armed for it.
  var isOnItsWay: Bool { step != .none }

  mutating func timerExpired(_ signal: CompletionSignal) {
    guard step == .none else { return }
    step = .expired
    signal.kick()
  }

  mutating func pipeWasRead(_ signal: CompletionSignal) {
    switch step {
    case .none, .due: return
    case .expired:
      step = .readOnce
      signal.kick()
    case .readOnce: step = .due
    }
  }

  mutating func takeDue() -> Bool {
    guard step == .due else { return false }
    step = .none
    return true
  }
}
