extension Connection {
  /// Connects to a host, whose addresses are looked up on a helper thread. Wraps `getaddrinfo(3)`
  /// and `connect(2)`.
  ///
  /// - Parameters:
  ///   - host: A name, or a numeric address.
  ///   - port: 1 or more.
  ///   - loop: Whose thread this is.
  ///   - timeout: The longest that all of it may take, more than 0.
  ///   - configuration: What the connection is made with.
  ///   - handler: Called once: with the connection, with the failure of the last address, or with
  ///     `ETIMEDOUT`.
  /// - Returns: With which to give up.
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

  /// Connects to an address. As ``connect(to:port:on:timeout:configuration:_:)``.
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
