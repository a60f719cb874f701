internal import CLibevent
internal import Glibc

/// A POSIX signal that a loop can wait for.
public struct POSIXSignal: RawRepresentable, Hashable, Sendable {
  /// The signal's number.
  public let rawValue: Int32

  /// Names a signal by its number.
  ///
  /// - Parameter rawValue: One that can be caught: not that of `SIGKILL` or `SIGSTOP`.
  public init(rawValue: Int32) {
    self.rawValue = rawValue
  }

  /// `SIGINT`: the terminal's interrupt key.
  public static let interrupt = POSIXSignal(rawValue: SIGINT)
  /// `SIGTERM`: a polite request to end.
  public static let terminate = POSIXSignal(rawValue: SIGTERM)
  /// `SIGHUP`: the terminal is gone, or by custom: open the log files anew.
  public static let hangUp = POSIXSignal(rawValue: SIGHUP)
  /// `SIGUSR1`.
  public static let user1 = POSIXSignal(rawValue: SIGUSR1)
  /// `SIGUSR2`.
  public static let user2 = POSIXSignal(rawValue: SIGUSR2)
}

/// A signal that a loop watches. It goes on, kept or not, until it is cancelled or its loop ends;
/// then it calls nobody any more, and the signal has its former disposition.
@safe
public final class SignalWatch: @unchecked Sendable {
  private weak var event: Event?
  private let thread: LoopThread

  /// - Parameter event: Nil for one that watches nothing, since its loop is ending.
  fileprivate init(_ event: Event?, on thread: LoopThread) {
    self.event = event
    self.thread = thread
  }

  /// Stops watching; the signal gets its former disposition back.
  public func cancel() {
    thread.checkAccess()
    event?.remove()
  }
}

extension EventLoop {
  /// Calls `body` on the loop each time that the process gets `signal`. Wraps `evsignal_new`.
  ///
  /// One loop of the process can watch signals at a time: libevent sends them all to one base.
  ///
  /// The loop holds `body` until the watch is cancelled; where that captures the loop, cancel it or
  /// close the loop, or the two keep each other.
  ///
  /// - Parameters:
  ///   - signal: One that can be caught.
  ///   - body: Called in a turn of the loop, where the signal's handler is long done.
  ///     The kernel merges standard signals that come before that.
  /// - Returns: The watch, to cancel it.
  @discardableResult
  public func watch(_ signal: POSIXSignal, _ body: @escaping () -> Void) -> SignalWatch {
    core.checkAccess()
    guard !core.isEnding else { return SignalWatch(nil, on: core.thread) }
    let event = Event(
      in: core.registry, descriptor: signal.rawValue, flags: EV_SIGNAL | EV_PERSIST,
      lifetime: .untilRemoved, body)
    event.add()
    return SignalWatch(event, on: core.thread)
  }
}
