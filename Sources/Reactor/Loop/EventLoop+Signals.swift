internal import PosixAIO

extension EventLoop {
  /// The signals that the process receives from this call on, in a task:
  /// `for await signal in loop.signals(.hangUp)`.
  ///
  /// A signal that arrives while the task is busy waits; further ones of the same kind merge with
  /// it. The sequence ends when the task is cancelled, as it is at the loop's end. When you drop
  /// the sequence and its iterator, the signals have their former dispositions. See ``watch(_:_:)``
  /// for the limits of signals.
  ///
  /// - Parameter signals: Signals that can be caught.
  /// - Returns: The signals, for one task at a time.
  public func signals(_ signals: POSIXSignal...) -> Signals {
    core.checkAccess()
    return Signals(source: SignalSource(signals, on: self))
  }

  /// The signals of ``EventLoop/signals(_:)``.
  public struct Signals: AsyncSequence, Sendable {
    fileprivate let source: SignalSource

    /// Continues with the signals that wait.
    public func makeAsyncIterator() -> Iterator { Iterator(source: source) }

    /// Takes the signals one by one.
    public struct Iterator: AsyncIteratorProtocol, Sendable {
      fileprivate let source: SignalSource

      /// Waits for the next signal.
      ///
      /// - Returns: The signal; nil in a cancelled task.
      public mutating func next(isolation actor: isolated (any Actor)?) async -> POSIXSignal? {
        await source.next()
      }

      /// As ``next(isolation:)``, where the caller runs.
      nonisolated(nonsending) public mutating func next() async -> POSIXSignal? {
        await source.next()
      }
    }
  }

  /// Runs the loop until a signal arrives, and shuts it down, for programs without tasks. A second
  /// signal has its usual effect, which ends the process.
  ///
  /// ```swift
  /// loop.run(shuttingDownOn: .terminate, .interrupt, within: .seconds(5)) { server.shutDown {} }
  /// ```
  ///
  /// ``stop()`` has the effect of a signal. Traps inside a callback of the loop.
  ///
  /// - Parameters:
  ///   - signals: Signals that can be caught.
  ///   - timeout: The longest time to wait for work in progress, 0 or more; see
  ///     ``shutDown(within:)``.
  ///   - prepare: Called before the loop shuts down, to end what would otherwise wait for the whole
  ///     time, such as a server's idle connections.
  /// - Returns: Whether all work completed with its own result.
  @discardableResult
  public func run(
    shuttingDownOn signals: POSIXSignal..., within timeout: Duration,
    _ prepare: () -> Void = {}
  ) -> Bool {
    require(timeout >= .zero, "EventLoop: a timeout is 0 or more")
    let watches = signals.map { watch($0) { [unowned self] in stop() } }
    run()
    for watch in watches { watch.cancel() }
    prepare()
    return shutDown(within: timeout)
  }
}

/// The signals that have arrived, and the task that waits for one.
///
/// Sendable: it is used on the loop's thread only, except that any thread may drop it.
private final class SignalSource: @unchecked Sendable {
  private let core: LoopCore
  private var watches: [SignalWatch] = []
  /// Each at most once.
  private var ready: [POSIXSignal] = []
  private var waiting: Promise<POSIXSignal?, Never>?

  init(_ signals: [POSIXSignal], on loop: EventLoop) {
    core = loop.core
    // Weak, since the last reference may be dropped on another thread.
    watches = signals.map { signal in loop.watch(signal) { [weak self] in self?.arrived(signal) } }
  }

  deinit {
    if core.thread.isCurrent {
      for watch in watches { watch.cancel() }
    } else {
      // A loop that has ended has already cancelled them.
      core.remote.add(.internalBody { [watches] _ in for watch in watches { watch.cancel() } })
    }
  }

  nonisolated(nonsending) func next() async -> POSIXSignal? {
    core.checkAccess()
    require(waiting == nil, "EventLoop: only one task may take the signals")
    guard !Task.isCancelled, !core.hasEnded else { return nil }
    guard ready.isEmpty else { return ready.removeFirst() }
    let pending = Promise<POSIXSignal?, Never>(on: core)
    waiting = pending
    return await pending.value { [self] in
      guard waiting === pending else { return }
      waiting = nil
      pending.finish(.success(nil))
    }
  }

  private func arrived(_ signal: POSIXSignal) {
    if let pending = waiting.take() {
      pending.finish(.success(signal))
    } else if !ready.contains(signal) {
      ready.append(signal)
    }
  }
}
