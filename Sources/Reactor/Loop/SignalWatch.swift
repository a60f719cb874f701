internal import CLibevent
internal import Glibc
internal import PosixAIO

/// A POSIX signal that a loop can watch.
public struct POSIXSignal: RawRepresentable, Hashable, Sendable {
  /// The signal's number.
  public let rawValue: Int32

  /// Creates a signal from its number.
  ///
  /// - Parameter rawValue: A signal that can be caught, so not `SIGKILL` or `SIGSTOP`.
  public init(rawValue: Int32) {
    self.rawValue = rawValue
  }

  /// `SIGINT`: the terminal's interrupt key.
  public static let interrupt = POSIXSignal(rawValue: SIGINT)
  /// `SIGTERM`: a request to terminate.
  public static let terminate = POSIXSignal(rawValue: SIGTERM)
  /// `SIGHUP`: the terminal was closed; by convention daemons reopen their log files.
  public static let hangUp = POSIXSignal(rawValue: SIGHUP)
  /// `SIGUSR1`.
  public static let user1 = POSIXSignal(rawValue: SIGUSR1)
  /// `SIGUSR2`.
  public static let user2 = POSIXSignal(rawValue: SIGUSR2)
}

/// Watches a signal for a loop. It stays active until it is cancelled or its loop ends, even if you
/// drop every reference. After that, it makes no more calls, and the signal has its former
/// disposition.
@safe
public final class SignalWatch: @unchecked Sendable {
  private weak var event: Event?
  private let thread: LoopThread

  /// - Parameter event: Nil for a watch that does nothing, because its loop is ending.
  fileprivate init(_ event: Event?, on thread: LoopThread) {
    self.event = event
    self.thread = thread
  }

  /// Stops watching, and restores the signal's former disposition.
  public func cancel() {
    thread.checkAccess()
    event?.remove()
  }
}

extension EventLoop {
  /// Calls `body` on the loop each time the process receives `signal`. Wraps `evsignal_new`.
  ///
  /// Only one loop of a process can watch signals at a time: libevent sends them all to one base.
  ///
  /// The loop retains `body` until the watch is cancelled. If it captures the loop, cancel the
  /// watch or close the loop to break the reference cycle.
  ///
  /// Traps for the signal of the loop's own queue.
  ///
  /// - Parameters:
  ///   - signal: A signal that can be caught.
  ///   - body: Called in a turn of the loop, after the signal's handler has returned. The kernel
  ///     merges standard signals that arrive before that.
  /// - Returns: The watch; use it to cancel.
  @discardableResult
  public func watch(_ signal: POSIXSignal, _ body: @escaping () -> Void) -> SignalWatch {
    core.checkAccess()
    require(
      signal.rawValue != core.queue.signalNumber,
      "EventLoop: this signal announces the completions of the loop's files")
    guard !core.isEnding else { return SignalWatch(nil, on: core.thread) }
    let event = Event(
      in: core.registry, descriptor: signal.rawValue, flags: EV_SIGNAL | EV_PERSIST,
      lifetime: .untilRemoved, body)
    event.add()
    return SignalWatch(event, on: core.thread)
  }
}
