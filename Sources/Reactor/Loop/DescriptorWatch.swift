internal import CLibevent
internal import Glibc
internal import PosixAIO
public import SystemPackage

/// The conditions that a descriptor watch waits for and reports.
public struct DescriptorEvents: OptionSet, Sendable {
  /// The bit mask.
  public let rawValue: Int

  /// Creates a set from a bit mask.
  ///
  /// - Parameter rawValue: A combination of the raw values of ``readable`` and ``writable``.
  public init(rawValue: Int) { self.rawValue = rawValue }

  /// Data, the end of the stream, or an error can be read.
  public static let readable = DescriptorEvents(rawValue: 1)
  /// The descriptor accepts data, or has an error.
  public static let writable = DescriptorEvents(rawValue: 2)
}

/// Watches a descriptor for a loop. It stays active until it is cancelled or its loop ends, even if
/// you drop every reference. After that, it makes no more calls.
///
/// Cancel it before you close the descriptor. epoll watches the open file, not the number: if a
/// duplicate is still open, epoll keeps reporting it and it can no longer be removed.
@safe
public final class DescriptorWatch: @unchecked Sendable {
  private weak var event: Event?
  private let thread: LoopThread

  fileprivate init(_ event: Event, on thread: LoopThread) {
    self.event = event
    self.thread = thread
  }

  /// Whether it is still watching.
  public var isActive: Bool {
    thread.checkAccess()
    return event?.isAdded ?? false
  }

  /// Stops watching. The callback is not called again, not even for events of the current turn.
  public func cancel() {
    thread.checkAccess()
    event?.remove()
  }
}

extension EventLoop {
  /// Calls `body` on the loop each time a descriptor becomes ready. Wraps `event_new`.
  ///
  /// The watch is level-triggered: `body` is called in every turn while the descriptor is ready. A
  /// cancelled watch is never called, and a watch never reports events of a descriptor that used
  /// the same number before.
  ///
  /// - Parameters:
  ///   - descriptor: A socket, pipe, terminal or other descriptor that epoll supports. Keep it open
  ///     until you cancel the watch.
  ///   - events: The conditions to wait for, at least one.
  ///   - body: Receives the conditions that hold. The loop retains it until the watch is cancelled.
  ///     If it captures the loop, cancel the watch to break the reference cycle.
  /// - Returns: The watch; use it to cancel.
  /// - Throws: `EPERM` for a regular file or a directory, which are always ready; `EBADF` if the
  ///   descriptor is not open; `ENOSPC` or `ENOMEM` if the kernel cannot add it; `ECANCELED` when
  ///   the loop is ending. Nothing was started.
  @discardableResult
  public func watch(
    _ descriptor: FileDescriptor, for events: DescriptorEvents,
    _ body: @escaping (DescriptorEvents) -> Void
  ) throws(Errno) -> DescriptorWatch {
    try core.checkSockets()
    require(!events.isEmpty, "EventLoop: a watch needs at least one event")
    try checkPollable(descriptor)
    let flags =
      (events.contains(.readable) ? EV_READ : 0) | (events.contains(.writable) ? EV_WRITE : 0)
    let event = Event(
      in: core.registry, descriptor: descriptor.rawValue, flags: flags | EV_PERSIST,
      lifetime: .untilRemoved
    ) { fired in
      var ready: DescriptorEvents = []
      if fired & EV_READ != 0 { ready.insert(.readable) }
      if fired & EV_WRITE != 0 { ready.insert(.writable) }
      body(ready)
    }
    try event.tryAdd()
    return DescriptorWatch(event, on: core.thread)
  }
}

/// Throws the error that epoll(7) would report. libevent would also print it to standard error.
private func checkPollable(_ descriptor: FileDescriptor) throws(Errno) {
  var status = stat()
  try checked(unsafe fstat(descriptor.rawValue, &status))
  let kind = status.st_mode & S_IFMT
  guard kind != S_IFREG, kind != S_IFDIR else { throw .notPermitted }
}
