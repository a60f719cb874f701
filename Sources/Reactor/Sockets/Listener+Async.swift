internal import PosixAIO
internal import SystemPackage

extension Listener {
  /// The clients, as they come, until the listener is closed.
  ///
  /// One task takes them, instead of ``onConnection``. It is given each with what has arrived so
  /// far; while it does not ask, ``Connections/readyLimit`` are accepted and further ones wait in
  /// the kernel's queue. When it ends, those that it did not take are cut.
  ///
  /// ```swift
  /// for try await connection in listener.connections {
  ///   loop.startTask { try await serve(connection) }
  /// }
  /// ```
  public var connections: Connections { Connections(listener: self) }

  /// The clients of a listener.
  public struct Connections: AsyncSequence, Sendable {
    /// The most connections that are accepted before somebody asks for them.
    public static let readyLimit = 64

    let listener: Listener

    /// Begins to accept. Traps when somebody else gets the clients already.
    public func makeAsyncIterator() -> Iterator { Iterator(incoming: Incoming(listener)) }

    /// Takes clients in.
    public struct Iterator: AsyncIteratorProtocol {
      let incoming: Incoming

      /// Waits for a client.
      ///
      /// - Returns: Nil when the listener is closed.
      /// - Throws: `ECANCELED` when the task is cancelled. That the kernel would not accept is told
      ///   to ``Listener/onError`` and ends nothing.
      public mutating func next(
        isolation actor: isolated (any Actor)?
      ) async throws(SocketError) -> Connection? {
        try await incoming.next()
      }

      /// As ``next(isolation:)``, where the caller runs.
      nonisolated(nonsending) public mutating func next() async throws(SocketError) -> Connection? {
        try await incoming.next()
      }
    }
  }
}

/// What a listener has accepted, and who waits for it.
final class Incoming {
  private let listener: Listener
  private var ready: [Connection] = []
  private var waiting: Promise<Connection?, SocketError>?

  init(_ listener: Listener) {
    require(
      listener.onConnection == nil,
      "Listener: clients go to onConnection or to one task, not to several")
    self.listener = listener
    // Weak, since the last task may let go of it on another thread.
    listener.onConnection = { [weak self] connection in
      if let self { arrived(connection) } else { connection.abort() }
    }
    listener.onEnd = { [weak self] in self?.ended() }
  }

  deinit {
    let core = listener.core
    if core.thread.isCurrent {
      Self.stop(listener, ready)
    } else {
      // A loop that has ended has closed them.
      core.remote.add(.internalBody { [listener, ready] _ in Self.stop(listener, ready) })
    }
  }

  private static func stop(_ listener: Listener, _ ready: [Connection]) {
    listener.onConnection = nil
    listener.onEnd = nil
    listener.hasRoom = true
    for connection in ready { connection.abort() }
  }

  nonisolated(nonsending) func next() async throws(SocketError) -> Connection? {
    listener.core.checkAccess()
    require(waiting == nil, "Listener: one task takes the clients")
    let canceled = SocketError(.accept, "\(listener.address)", .canceled)
    guard !Task.isCancelled else { throw canceled }
    if !ready.isEmpty {
      let connection = ready.removeFirst()
      listener.hasRoom = true
      return connection
    }
    guard listener.isOpen else { return nil }
    let pending = Promise<Connection?, SocketError>(on: listener.core)
    waiting = pending
    return try await pending.value { [self] in
      guard waiting === pending else { return }
      waiting = nil
      pending.finish(.failure(canceled))
    }
  }

  private func arrived(_ connection: Connection) {
    guard let pending = waiting.take() else {
      ready.append(connection)
      listener.hasRoom = ready.count < Listener.Connections.readyLimit
      return
    }
    pending.finish(.success(connection))
  }

  private func ended() {
    waiting.take()?.finish(.success(nil))
  }
}
