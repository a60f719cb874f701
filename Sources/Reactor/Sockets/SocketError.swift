public import SystemPackage

/// What went wrong with a socket, in full: which operation, with whom, and why.
public struct SocketError: Error, Equatable, Sendable {
  /// What was asked for.
  public struct Operation: Equatable, Sendable, CustomStringConvertible {
    /// The operation's name.
    public let description: String

    init(_ name: String) { description = name }

    /// Finding the addresses of a name.
    public static let resolve = Operation("resolve")
    /// Connecting.
    public static let connect = Operation("connect")
    /// Taking in a client.
    public static let accept = Operation("accept")
    /// Receiving bytes.
    public static let read = Operation("read")
    /// Sending bytes.
    public static let write = Operation("write")
    /// Sending the rest, and closing.
    public static let close = Operation("close")
  }

  /// The reason.
  public enum Reason: Equatable, Sendable {
    /// The kernel's. `ETIMEDOUT` after a time-out, `ECANCELED` after a cancellation.
    case system(Errno)

    /// The resolver's: `getaddrinfo(3)`'s code, such as `EAI_NONAME`, and its text.
    case resolver(code: Int32, String)
  }

  /// What failed.
  public let operation: Operation

  /// Host and port, or address, of the other side.
  public let peer: String

  /// Why.
  public let reason: Reason

  /// The kernel's reason, if it is the kernel's.
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
