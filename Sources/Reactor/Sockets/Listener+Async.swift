internal import PosixAIO
internal import SystemPackage

extension Listener {
  /// The accepted clients in order, until the listener closes.
  ///
  /// Use it from one task, instead of ``onConnection``. Input that arrives before the task takes a
  /// client waits in that connection. While the task does not ask, up to ``Connections/readyLimit``
  /// clients are accepted; further ones wait in the kernel's queue. After ``shutDown()`` or
  /// ``close()`` the task gets the accepted clients first. If it stops earlier, the clients that it
  /// did not take are aborted.
  ///
  /// ```swift
  /// for try await connection in listener.connections {
  ///   loop.startTask { try await serve(connection) }
  /// }
  /// ```
  public var connections: Connections { Connections(listener: self) }

  /// The accepted clients of a listener.
  public struct Connections: AsyncSequence, Sendable {
    /// The most connections accepted before the task asks for them.
    public static let readyLimit = 64

    let listener: Listener

    /// Starts accepting. Traps if another consumer already gets the clients.
    public func makeAsyncIterator() -> Iterator { Iterator(incoming: Incoming(listener)) }

    /// Takes the clients one by one.
    public struct Iterator: AsyncIteratorProtocol {
      let incoming: Incoming

      /// Waits for the next client.
      ///
      /// - Returns: The client; nil after the clients that were accepted before the listener was
      ///   closed.
      /// - Throws: `ECANCELED` when the task is cancelled. Errors of accepting go to
      ///   ``Listener/onError`` and do not end the iteration.
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

/// A listener's accepted connections and the task that waits for one.
final class Incoming {
  private let listener: Listener
  private var ready: [Connection] = []
  private var waiting: Promise<Connection?, SocketError>?

  init(_ listener: Listener) {
    require(
      listener.onConnection == nil,
      "Listener: clients go either to onConnection or to one task")
    self.listener = listener
    // Weak, since the last reference may be dropped on another thread.
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
      // A loop that has ended has already closed them.
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
    require(waiting == nil, "Listener: only one task may take the clients")
    let canceled = SocketError(.accept, "\(listener.address)", .canceled)
    guard !Task.isCancelled else { throw canceled }
    if !ready.isEmpty {
      let connection = ready.removeFirst()
      listener.hasRoom = true
      return connection
    }
    guard !listener.isOver else { return nil }
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
