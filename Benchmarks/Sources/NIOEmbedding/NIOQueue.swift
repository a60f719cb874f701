import Glibc
import NIOCore
import NIOPosix
import PosixAIO
import SystemPackage

/// A completion queue that an event loop of SwiftNIO drives; it belongs to that loop's thread.
///
/// NIO watches what it reads itself, and nothing that others drain. So a thread of a pool waits for
/// the queue's descriptor, only while something is under way, and has the event loop drain.
final class NIOQueue {
  let queue: CompletionQueue
  private let eventLoop: any EventLoop
  private let pool: NIOThreadPool
  private var state = State.idle

  private enum State {
    case idle, drainIsDue, isPolled
  }

  /// To be called on the event loop. `pool` has a thread for each queue.
  init(
    on eventLoop: any EventLoop, pool: NIOThreadPool,
    configuration: CompletionQueue.Configuration = .init()
  ) throws {
    eventLoop.preconditionInEventLoop()
    (self.eventLoop, self.pool) = (eventLoop, pool)
    queue = try CompletionQueue(configuration: configuration)
  }

  /// To be called after requests were made. While others are polled for, they come along.
  func drainSoon() {
    guard state == .idle else { return }
    state = .drainIsDue
    eventLoop.assumeIsolated().execute { self.drain() }
  }

  private func drain() {
    let isCutShort = queue.drain() == queue.configuration.completionsPerDrain
    state = .idle
    if isCutShort { return drainSoon() }
    guard queue.unfinishedCount > 0 else { return }
    state = .isPolled
    let descriptor = queue.descriptor.rawValue
    pool.runIfActive(eventLoop: eventLoop) {
      var source = pollfd(fd: descriptor, events: Int16(POLLIN), revents: 0)
      while unsafe poll(&source, 1, -1) < 0, errno == EINTR {}
    }.assumeIsolated().whenSuccess { self.drain() }
  }
}
