internal import PosixAIO

#if ServiceLifecycle
  public import Reactor
  public import ServiceLifecycle
  internal import Synchronization

  /// Runs an event loop as a service of swift-service-lifecycle, on its own thread.
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
  /// On graceful shutdown the loop accepts no more clients, and work in progress has
  /// ``shutDownTimeout`` to end; see ``EventLoop/shutDown(within:)``. If the task is cancelled, it
  /// has no time. The service ends early if ``EventLoop/stop()`` stops the loop.
  public struct EventLoopService: Service {
    /// Work to do on the loop's thread.
    public typealias Handler = @Sendable (EventLoop) throws -> Void

    /// How long a graceful shutdown waits for work in progress.
    public let shutDownTimeout: Duration

    private let configuration: EventLoop.Configuration
    private let start: Handler
    private let willShutDown: @Sendable (EventLoop) -> Void

    /// Creates a service. It starts nothing yet.
    ///
    /// - Parameters:
    ///   - configuration: The configuration of the loop.
    ///   - shutDownTimeout: How long a graceful shutdown waits for work in progress, 0 or more.
    ///   - willShutDown: Called on the loop's thread before the loop shuts down. Use it to close
    ///     idle connections, which the loop cannot recognize, and HTTP servers.
    ///   - start: Called on the loop's thread before the loop runs. An error that it throws ends
    ///     the service.
    public init(
      configuration: EventLoop.Configuration = .init(), shutDownTimeout: Duration = .seconds(10),
      willShutDown: @escaping @Sendable (EventLoop) -> Void = { _ in }, start: @escaping Handler
    ) {
      require(shutDownTimeout >= .zero, "EventLoopService: shutDownTimeout must be 0 or more")
      self.configuration = configuration
      self.shutDownTimeout = shutDownTimeout
      self.willShutDown = willShutDown
      self.start = start
    }

    /// Runs the loop until the service shuts down.
    ///
    /// - Throws: The errors of ``EventLoop/init(configuration:)`` and of the start handler;
    ///   `EAGAIN` if no thread can be started.
    public func run() async throws {
      let stopRequest = StopRequest()
      try await withTaskCancellationHandler {
        try await withGracefulShutdownHandler {
          try await onNewThread { try serve(stopRequest) }
        } onGracefulShutdown: {
          stopRequest.raise(.shutDown)
        }
      } onCancel: {
        stopRequest.raise(.end)
      }
    }

    private func serve(_ stopRequest: StopRequest) throws {
      let loop = try EventLoop(configuration: configuration)
      do {
        try start(loop)
      } catch {
        loop.shutDown(within: .zero)
        throw error
      }
      if stopRequest.connect(to: loop.remote) { loop.run() }
      willShutDown(loop)
      loop.shutDown(within: stopRequest.isToEnd ? .zero : shutDownTimeout)
    }
  }

  /// Passes stop requests from the service's task to the loop's thread.
  private final class StopRequest: Sendable {
    enum Urgency {
      case shutDown
      /// Shuts down without waiting.
      case end
    }

    private struct State {
      var urgency: Urgency?
      var remote: EventLoop.Remote?
    }

    private let state = Mutex(State())

    var isToEnd: Bool { state.withLock { $0.urgency == .end } }

    /// Stops the loop's current run, or its shutdown, or keeps it from starting.
    func raise(_ urgency: Urgency) {
      let remote = state.withLock { state in
        if state.urgency != .end { state.urgency = urgency }
        return state.remote
      }
      remote?.execute { loop in loop.stop() }
    }

    /// - Returns: Whether no stop was requested yet.
    func connect(to remote: EventLoop.Remote) -> Bool {
      state.withLock { state in
        state.remote = remote
        return state.urgency == nil
      }
    }
  }
#endif
