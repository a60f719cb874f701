internal import PosixAIO

#if ServiceLifecycle
  public import Reactor
  public import ServiceLifecycle
  internal import Synchronization

  /// Runs an event loop as a service of swift-service-lifecycle, on a thread of its own.
  ///
  /// ```swift
  /// let service = EventLoopService { loop in
  ///   let listener = try Listener(on: loop, .any(port: 8080))
  ///   listener.onConnection = { connection in serve(connection) }
  /// }
  /// let group = ServiceGroup(
  ///   services: [service], gracefulShutdownSignals: [.sigterm], logger: logger)
  /// try await group.run()
  /// ```
  ///
  /// On graceful shutdown the loop takes in no further clients, and what is under way has
  /// ``shutDownTimeout`` to end, as ``EventLoop/shutDown(within:)`` says. When the task is
  /// cancelled it has no time. The service ends early if the loop is stopped by
  /// ``EventLoop/stop()``.
  public struct EventLoopService: Service {
    /// Something to do on the loop's thread.
    public typealias Handler = @Sendable (EventLoop) throws -> Void

    /// The longest that a graceful shutdown takes.
    public let shutDownTimeout: Duration

    private let configuration: EventLoop.Configuration
    private let start: Handler
    private let willShutDown: @Sendable (EventLoop) -> Void

    /// Describes a service; nothing is started.
    ///
    /// - Parameters:
    ///   - configuration: The limits of the loop.
    ///   - shutDownTimeout: The longest that a graceful shutdown waits for what is under way, 0 or
    ///     more.
    ///   - willShutDown: Called on the loop's thread when the loop is about to shut down: closes
    ///     what the loop cannot know to be idle, and HTTP servers.
    ///   - start: Called on the loop's thread before the loop runs. What it throws ends the
    ///     service.
    public init(
      configuration: EventLoop.Configuration = .init(), shutDownTimeout: Duration = .seconds(10),
      willShutDown: @escaping @Sendable (EventLoop) -> Void = { _ in }, start: @escaping Handler
    ) {
      require(shutDownTimeout >= .zero, "EventLoopService: a time is 0 or more")
      self.configuration = configuration
      self.shutDownTimeout = shutDownTimeout
      self.willShutDown = willShutDown
      self.start = start
    }

    /// Runs the loop until the service is to shut down.
    ///
    /// - Throws: What ``EventLoop/init(configuration:)`` and the start handler throw; `EAGAIN` if
    ///   there is no thread to be had.
    public func run() async throws {
      let switchboard = Switchboard()
      try await withTaskCancellationHandler {
        try await withGracefulShutdownHandler {
          try await onThreadOfItsOwn { try serve(switchboard) }
        } onGracefulShutdown: {
          switchboard.ask(for: .shutDown)
        }
      } onCancel: {
        switchboard.ask(for: .end)
      }
    }

    private func serve(_ switchboard: Switchboard) throws {
      let loop = try EventLoop(configuration: configuration)
      do {
        try start(loop)
      } catch {
        loop.shutDown(within: .zero)
        throw error
      }
      if switchboard.connect(to: loop.remote) { loop.run() }
      willShutDown(loop)
      loop.shutDown(within: switchboard.isToEnd ? .zero : shutDownTimeout)
    }
  }

  /// Carries the wishes of the service's task to the thread of the loop.
  private final class Switchboard: Sendable {
    enum Wish {
      case shutDown
      /// At once.
      case end
    }

    private struct State {
      var wish: Wish?
      var remote: EventLoop.Remote?
    }

    private let state = Mutex(State())

    var isToEnd: Bool { state.withLock { $0.wish == .end } }

    /// Stops the loop's present run, be it the shutdown's, or has it not begin.
    func ask(for wish: Wish) {
      let remote = state.withLock { state in
        if state.wish != .end { state.wish = wish }
        return state.remote
      }
      remote?.execute { loop in loop.stop() }
    }

    /// - Returns: Whether nobody has asked for anything yet.
    func connect(to remote: EventLoop.Remote) -> Bool {
      state.withLock { state in
        state.remote = remote
        return state.wish == nil
      }
    }
  }
#endif
