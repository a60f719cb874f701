internal import CLibevent
internal import Glibc
internal import PosixAIO
public import SystemPackage

/// What a descriptor is ready for.
public struct DescriptorEvents: OptionSet, Sendable {
  /// The bits.
  public let rawValue: Int

  /// Makes a set of bits.
  ///
  /// - Parameter rawValue: The sum of those of ``readable`` and ``writable``.
  public init(rawValue: Int) { self.rawValue = rawValue }

  /// There is something to read, or the end of it, or an error.
  public static let readable = DescriptorEvents(rawValue: 1)
  /// There is room to write, or an error.
  public static let writable = DescriptorEvents(rawValue: 2)
}

/// A descriptor that a loop watches. It goes on, kept or not, until it is cancelled or its loop
/// ends; then it calls nobody any more.
///
/// Cancel it before the descriptor is closed. epoll watches what is open, not its number: of a
/// closed number that still has a duplicate somewhere, nobody could ask it to stop.
@safe
public final class DescriptorWatch: @unchecked Sendable {
  private weak var event: Event?
  private let thread: LoopThread

  fileprivate init(_ event: Event, on thread: LoopThread) {
    self.event = event
    self.thread = thread
  }

  /// Whether it still watches.
  public var isActive: Bool {
    thread.checkAccess()
    return event?.isAdded ?? false
  }

  /// Stops watching. Afterwards the callback is not called any more, also not for what has happened
  /// in this turn already.
  public func cancel() {
    thread.checkAccess()
    event?.remove()
  }
}

extension EventLoop {
  /// Calls `body` on the loop each time that a descriptor is ready. Wraps `event_new`.
  ///
  /// Level-triggered: as long as the descriptor is ready and nothing is done about it, `body` is
  /// called in every turn. A watch that was cancelled is never called, and a watch of a descriptor
  /// number that was used before is not told of its former descriptor.
  ///
  /// - Parameters:
  ///   - descriptor: Of a socket, pipe or terminal, or of something else that epoll can watch; open
  ///     until the watch is cancelled.
  ///   - events: What to wait for, at least one of them.
  ///   - body: Gets what the descriptor is ready for. The loop holds it until the watch is
  ///     cancelled; where it captures the loop, cancel it, or the two keep each other.
  /// - Returns: The watch, to cancel it.
  /// - Throws: `EPERM` for a regular file or a directory, which are always ready; `EBADF` if the
  ///   descriptor is not open; `ENOSPC` or `ENOMEM` if the kernel has no room for it; `ECANCELED`
  ///   when the loop is ending. Nothing was started.
  @discardableResult
  public func watch(
    _ descriptor: FileDescriptor, for events: DescriptorEvents,
    _ body: @escaping (DescriptorEvents) -> Void
  ) throws(Errno) -> DescriptorWatch {
    try core.checkSockets()
    require(!events.isEmpty, "EventLoop: a watch waits for something")
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

/// Refuses what epoll(7) would refuse. libevent would tell the standard error of that, too.
private func checkPollable(_ descriptor: FileDescriptor) throws(Errno) {
  var status = stat()
  try checked(unsafe fstat(descriptor.rawValue, &status))
  let kind = status.st_mode & S_IFMT
  guard kind != S_IFREG, kind != S_IFDIR else { throw .notPermitted }
}
