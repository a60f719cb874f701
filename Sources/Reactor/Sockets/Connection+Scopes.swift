internal import SystemPackage

/// Connections and listeners that are open for the time of a call. For a task on the loop's thread.
extension Connection {
  /// Connects to a host, calls `body`, and closes the connection on every path; see
  /// ``connect(to:port:on:timeout:configuration:_:)`` and ``closeAfter(_:)``.
  ///
  /// - Returns: What `body` returns.
  /// - Throws: A ``SocketError`` of connecting, when `body` was not called; or as
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

  /// Connects to an address; as ``withConnection(to:port:on:timeout:configuration:_:)``.
  @discardableResult
  nonisolated(nonsending) public static func withConnection<Value: ~Copyable>(
    to address: SocketAddress, on loop: EventLoop, timeout: Duration = .seconds(30),
    configuration: Configuration = Configuration(),
    _ body: nonisolated(nonsending) (Connection) async throws -> Value
  ) async throws -> Value {
    try await connect(to: address, on: loop, timeout: timeout, configuration: configuration)
      .closeAfter(body)
  }

  /// Calls `body`, and closes the connection on every path: for a client that was accepted.
  ///
  /// After `body` has returned, what is waiting is sent; see ``close()->()``. When it throws, the
  /// connection is aborted, since what was written may be half of something.
  ///
  /// - Parameter body: Gets the connection.
  /// - Returns: What `body` returns.
  /// - Throws: What `body` throws; or else, as a ``SocketError``, why not everything was sent.
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
  /// ``init(on:_:configuration:)`` and ``close()``. Connections go on.
  ///
  /// - Parameters:
  ///   - loop: The loop to use.
  ///   - address: One of this machine's, or all of them; port 0 takes a free one.
  ///   - configuration: The limits; those that are out of their range trap.
  ///   - body: Gets the listener.
  /// - Returns: What `body` returns.
  /// - Throws: As ``init(on:_:configuration:)``, when `body` was not called; or what `body` throws.
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
