public import SystemPackage

/// An error of a socket, with the operation, the peer and the reason.
public struct SocketError: Error, Equatable, Sendable {
  /// The operation that failed.
  public struct Operation: Equatable, Sendable, CustomStringConvertible {
    /// The operation's name.
    public let description: String

    init(_ name: String) { description = name }

    /// Looking up a host name.
    public static let resolve = Operation("resolve")
    /// Connecting.
    public static let connect = Operation("connect")
    /// Accepting a client.
    public static let accept = Operation("accept")
    /// Receiving bytes.
    public static let read = Operation("read")
    /// Sending bytes.
    public static let write = Operation("write")
    /// Sending the remaining output and closing.
    public static let close = Operation("close")
  }

  /// Why the operation failed.
  public enum Reason: Equatable, Sendable {
    /// An error of the system. `ETIMEDOUT` after a timeout, `ECANCELED` after a cancellation.
    case system(Errno)

    /// An error of the resolver: `getaddrinfo(3)`'s code, such as `EAI_NONAME`, and its text.
    case resolver(code: Int32, String)
  }

  /// The operation.
  public let operation: Operation

  /// The peer: host and port, or address. When accepting, the listener's address.
  public let peer: String

  /// The reason.
  public let reason: Reason

  /// The system's error; nil for an error of the resolver.
  public var errno: Errno? {
    if case .system(let errno) = reason { errno } else { nil }
  }

  init(_ operation: Operation, _ peer: String, _ reason: Reason) {
    self.operation = operation
    self.peer = peer
    self.reason = reason
  }

  init(_ operation: Operation, _ peer: String, _ errno: Errno) {
    self.init(operation, peer, .system(errno))
  }
}

extension SocketError: CustomStringConvertible {
  /// One line, such as `connect 127.0.0.1:80: Connection refused`.
  public var description: String {
    switch reason {
    case .system(let errno): "\(operation) \(peer): \(errno)"
    case .resolver(_, let text): "\(operation) \(peer): \(text)"
    }
  }
}
