import Dispatch
import Glibc
import Reactor
import Synchronization
import TestSupport

@testable import ReactorHTTP

/// A server on an event loop on its own thread, for tests that act as its clients.
final class ServedLoop: Sendable {
  /// No test takes longer, however busy the machine is.
  static let deadline = DispatchTimeInterval.seconds(60)

  let address: SocketAddress
  private let remote: EventLoop.Remote
  private let server: OnLoop<HTTPServer?>
  private let ended = DispatchSemaphore(value: 0)
  private let hasStopped = Mutex(false)
  private let closesLoop = Flag()

  /// Starts a server on 127.0.0.1 or another host.
  convenience init(
    _ configuration: HTTPServer.Configuration = .init(), host: String = "127.0.0.1",
    _ handler: @escaping @Sendable (HTTPServer.Request, HTTPServer.ResponseWriter) -> Void
  ) throws {
    try self.init(host: host) {
      HTTPServer(on: $0, configuration: configuration, handler: handler)
    }
  }

  /// Starts the server that `make` makes.
  init(
    host: String = "127.0.0.1", making make: @escaping @Sendable (EventLoop) -> HTTPServer
  ) throws {
    let started = DispatchSemaphore(value: 0)
    let outcome = Mutex<Result<Started, any Error>?>(nil)
    let (ended, closesLoop) = (self.ended, self.closesLoop)
    try OtherThread.start {
      do {
        let loop = try EventLoop()
        let server = OnLoop<HTTPServer?>(make(loop))
        let address = try server.value?.listen(host: host, port: 0)
        outcome.withLock { $0 = .success(Started(address, loop.remote, server)) }
        started.signal()
        loop.run()
        if closesLoop.isRaised { loop.close() }
        server.value = nil
      } catch {
        outcome.withLock { $0 = .failure(error) }
        started.signal()
      }
      ended.signal()
    }.detach()
    try started.waitOrFail("the server did not start")
    guard let made = try outcome.withLock({ $0 })?.get() else { throw TimedOut("no outcome") }
    guard let address = made.address else { throw TimedOut("no address") }
    self.address = address
    remote = made.remote
    server = made.server
  }

  private struct Started: Sendable {
    let address: SocketAddress?
    let remote: EventLoop.Remote
    let server: OnLoop<HTTPServer?>

    init(
      _ address: SocketAddress?, _ remote: EventLoop.Remote, _ server: OnLoop<HTTPServer?>
    ) {
      self.address = address
      self.remote = remote
      self.server = server
    }
  }

  deinit {
    try? stop()
  }

  /// Runs `body` on the loop's thread and waits for its result.
  func onLoop<Value: Sendable>(
    _ body: @escaping @Sendable (OnLoop<HTTPServer?>) -> Value
  ) throws -> Value {
    let done = DispatchSemaphore(value: 0)
    let result = Mutex<Value?>(nil)
    let server = self.server
    remote.execute { _ in
      let value = body(server)
      result.withLock { $0 = value }
      done.signal()
    }
    try done.waitOrFail("the loop did not get to a call")
    guard let value = result.withLock({ $0 }) else { throw TimedOut("no result") }
    return value
  }

  /// Evaluates a condition on the loop's thread repeatedly until it is true, because the counters
  /// of a server have no change notifications.
  func waitUntil(
    _ what: String, _ isTrue: @escaping @Sendable (OnLoop<HTTPServer?>) -> Bool
  ) throws {
    let end = DispatchTime.now() + Self.deadline
    while try !onLoop(isTrue) {
      guard DispatchTime.now() < end else { throw TimedOut(what) }
      usleep(1000)
    }
  }

  /// Shuts the server down gracefully; returns once it has called back.
  func shutDown() throws {
    let done = DispatchSemaphore(value: 0)
    try onLoop { $0.value?.shutDown { done.signal() } }
    try done.waitOrFail("the server did not shut down")
  }

  /// Returns when the loop has processed all input that has arrived by now.
  func settle() throws {
    // A turn may run the first call before it checks a socket.
    for _ in 0..<2 { try onLoop { _ in } }
  }

  /// Stops the loop, releases server and loop, and ends the thread.
  ///
  /// - Parameter closing: Whether the loop is closed while the server still exists.
  func stop(closing: Bool = false) throws {
    if closing { closesLoop.raise() }
    let isFirst = hasStopped.withLock { hasStopped in
      defer { hasStopped = true }
      return !hasStopped
    }
    guard isFirst else { return }
    remote.execute { $0.stop() }
    try ended.waitOrFail("the loop did not stop")
  }
}

/// A flag that is set once, on any thread.
final class Flag: Sendable {
  private let state = Mutex(false)

  var isRaised: Bool { state.withLock { $0 } }

  func raise() { state.withLock { $0 = true } }
}

/// A value that is used only on the thread of the loop.
final class OnLoop<Value>: @unchecked Sendable {
  var value: Value

  init(_ value: Value) {
    self.value = value
  }
}

/// The event that did not happen before the deadline.
struct TimedOut: Error, CustomStringConvertible {
  let description: String

  init(_ description: String) {
    self.description = description
  }
}

extension DispatchSemaphore {
  func waitOrFail(_ what: String) throws {
    guard wait(timeout: .now() + ServedLoop.deadline) == .success else { throw TimedOut(what) }
  }
}
