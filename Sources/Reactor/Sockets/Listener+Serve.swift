internal import PosixAIO
internal import SystemPackage

extension Listener {
  /// Serves each client in a child task, until the listener has closed and the last client is
  /// served. For a task on the loop's thread.
  ///
  /// ```swift
  /// loop.watch(.terminate) { listener.shutDown() }
  /// try await listener.serve(endingWithin: .seconds(5)) { connection in
  ///   try await serve(connection, log)
  /// } onError: { _, error in
  ///   print(error)
  /// }
  /// ```
  ///
  /// ``Configuration/connectionLimit`` limits the number of clients at a time. ``shutDown()`` ends
  /// the call gracefully. If the task is cancelled, the listener closes, and so are the clients'
  /// tasks; the call waits for them, too.
  ///
  /// - Parameters:
  ///   - timeout: How long clients may continue after the listener has closed, more than 0. Then
  ///     their connections are aborted, so that their calls throw `ECANCELED`. Nil, the default, is
  ///     no limit.
  ///   - body: Gets each client. Its connection is closed on every path; see
  ///     ``Connection/closeAfter(_:)``.
  ///   - onError: Gets the error of `body` or of closing, of one client. The others continue.
  /// - Throws: `ECANCELED` if the task is cancelled.
  nonisolated(nonsending) public func serve(
    endingWithin timeout: Duration? = nil,
    _ body: @escaping @Sendable (Connection) async throws -> Void,
    onError: @escaping @Sendable (Connection, any Error) -> Void
  ) async throws(SocketError) {
    require((timeout ?? .seconds(1)) > .zero, "Listener: a timeout must be more than 0")
    let clients = ServedClients()
    var failure: SocketError?
    var deadline: EventLoop.Timer?
    await withDiscardingTaskGroup { group in
      do throws(SocketError) {
        for try await connection in connections {
          group.addTask { await clients.serve(connection, body, onError) }
        }
      } catch {
        failure = error
        close()
      }
      if let timeout { deadline = core.schedule(after: timeout) { clients.abort() } }
    }
    deadline?.cancel()
    if let failure { throw failure }
  }
}

/// The clients whose tasks have not ended.
///
/// Sendable: it is used on the loop's thread only, where the tasks run.
private final class ServedClients: @unchecked Sendable {
  private var connections: [ObjectIdentifier: Connection] = [:]
  private var isOver = false

  func serve(
    _ connection: Connection, _ body: @Sendable (Connection) async throws -> Void,
    _ onError: @Sendable (Connection, any Error) -> Void
  ) async {
    connections[ObjectIdentifier(connection)] = connection
    defer { connections[ObjectIdentifier(connection)] = nil }
    if isOver { connection.abort() }
    do {
      try await connection.closeAfter { try await body($0) }
    } catch {
      onError(connection, error)
    }
  }

  func abort() {
    isOver = true
    for connection in connections.values { connection.abort() }
  }
}
