internal import SystemPackage

/// Connections and listeners that are open for the duration of a call. For a task on the loop's
/// thread.
extension Connection {
  /// Connects to a host, calls `body`, and closes the connection on every path; see
  /// ``connect(to:port:on:timeout:configuration:_:)`` and ``closeAfter(_:)``.
  ///
  /// - Returns: The value that `body` returns.
  /// - Throws: The ``SocketError`` of connecting, and then `body` was not called; or as
  ///   ``closeAfter(_:)``.
  @discardableResult
  nonisolated(nonsending) public static func withConnection<Value: ~Copyable>(
    to host: String, port: UInt16, on loop: EventLoop, timeout: Duration = .seconds(30),
    configuration: Configuration = Configuration(),
    _ body: nonisolated(nonsending) (Connection) async throws -> Value
  ) async throws -> Value {
    try await connect(
      to: host, port: port, on: loop, timeout: timeout, configuration: configuration
    ).closeAfter(body)
  }

  /// Connects to an address, calls `body` and closes the connection on every path; as
  /// ``withConnection(to:port:on:timeout:configuration:_:)``.
  @discardableResult
  nonisolated(nonsending) public static func withConnection<Value: ~Copyable>(
    to address: SocketAddress, on loop: EventLoop, timeout: Duration = .seconds(30),
    configuration: Configuration = Configuration(),
    _ body: nonisolated(nonsending) (Connection) async throws -> Value
  ) async throws -> Value {
    try await connect(to: address, on: loop, timeout: timeout, configuration: configuration)
      .closeAfter(body)
  }

  /// Calls `body` and closes the connection on every path. Use it for an accepted client.
  ///
  /// After `body` returns, the waiting output is sent; see ``close()->()``. If it throws, the
  /// connection is aborted, since the output may be incomplete. If `body` closes the connection
  /// itself, this waits for that and reports its error in the same way. After an abort in `body`
  /// nothing is waited for, and unsent output is lost without an error.
  ///
  /// - Parameter body: Gets the connection.
  /// - Returns: The value that `body` returns.
  /// - Throws: The error that `body` throws; or else a ``SocketError`` that says why not everything
  ///   was sent.
  @discardableResult
  nonisolated(nonsending) public func closeAfter<Value: ~Copyable>(
    _ body: nonisolated(nonsending) (Connection) async throws -> Value
  ) async throws -> Value {
    let value: Value
    do {
      value = try await body(self)
    } catch {
      abort()
      throw error
    }
    switch await close() {
    case .local, .endOfInput: return value
    case .timedOut: throw SocketError(.close, "\(peerAddress)", .timedOut)
    case .failed(let errno): throw SocketError(.close, "\(peerAddress)", errno)
    }
  }
}

extension Listener {
  /// Listens on an address, calls `body`, and closes the listener on every path; see
  /// ``init(on:_:configuration:)`` and ``close()``. Connections stay open.
  ///
  /// - Parameters:
  ///   - loop: The loop to use.
  ///   - address: One address of this machine, or all of them. Port 0 picks a free port.
  ///   - configuration: The limits. Values out of range trap.
  ///   - body: Gets the listener.
  /// - Returns: The value that `body` returns.
  /// - Throws: As ``init(on:_:configuration:)``, and then `body` was not called; or the error that
  ///   `body` throws.
  @discardableResult
  nonisolated(nonsending) public static func withListener<Value: ~Copyable>(
    on loop: EventLoop, _ address: SocketAddress, configuration: Configuration = Configuration(),
    _ body: nonisolated(nonsending) (Listener) async throws -> Value
  ) async throws -> Value {
    let listener = try Listener(on: loop, address, configuration: configuration)
    defer { listener.close() }
    return try await body(listener)
  }
}
