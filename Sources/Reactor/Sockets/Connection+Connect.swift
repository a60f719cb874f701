extension Connection {
  /// Connects to a host. A helper thread looks up its addresses. Wraps `getaddrinfo(3)` and
  /// `connect(2)`.
  ///
  /// - Parameters:
  ///   - host: A host name or a numeric address.
  ///   - port: 1 or more.
  ///   - loop: The loop to use. Call on its thread.
  ///   - timeout: The limit for the look-up and all attempts together, more than 0.
  ///   - configuration: The configuration of the connection.
  ///   - handler: Called once: with the connection, with the error of the last address, or with
  ///     `ETIMEDOUT`.
  /// - Returns: A handle that cancels the attempt.
  @discardableResult
  public static func connect(
    to host: String, port: UInt16, on loop: EventLoop, timeout: Duration = .seconds(30),
    configuration: Configuration = Configuration(),
    _ handler: @escaping (Result<Connection, SocketError>) -> Void
  ) -> ConnectAttempt {
    if let address = SocketAddress(host: host, port: port) {
      return connect(
        to: address, on: loop, timeout: timeout, configuration: configuration, handler)
    }
    let attempt = ConnectAttempt(
      "\(host):\(port)", on: loop.core, timeout: timeout, configuration, handler)
    attempt.resolve(host, port: port)
    return attempt
  }

  /// Connects to an address; see ``connect(to:port:on:timeout:configuration:_:)``.
  @discardableResult
  public static func connect(
    to address: SocketAddress, on loop: EventLoop, timeout: Duration = .seconds(30),
    configuration: Configuration = Configuration(),
    _ handler: @escaping (Result<Connection, SocketError>) -> Void
  ) -> ConnectAttempt {
    let attempt = ConnectAttempt(
      "\(address)", on: loop.core, timeout: timeout, configuration, handler)
    attempt.connect([address])
    return attempt
  }
}
