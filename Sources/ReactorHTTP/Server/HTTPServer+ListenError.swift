public import SystemPackage

extension HTTPServer {
  /// An address on which a server listens.
  public struct Address: Sendable, Hashable, CustomStringConvertible {
    /// The numeric IPv4 or IPv6 address.
    public let host: String

    /// The port.
    public let port: UInt16

    /// As in a URL: "127.0.0.1:8080", "[::1]:8080".
    public var description: String {
      host.contains(":") ? "[\(host)]:\(port)" : "\(host):\(port)"
    }
  }

  /// Why a server can't listen on an address.
  public struct ListenError: Error, Sendable, Equatable, CustomStringConvertible {
    /// What failed.
    public enum Reason: Sendable, Equatable {
      /// The host is no address and no name that resolves; the text is the resolver's.
      case unresolvedHost(String)

      /// The system refused, most often `.addressInUse`, `.addressNotAvailable` or
      /// `.permissionDenied`.
      case system(Errno)
    }

    /// The host that was asked for.
    public let host: String

    /// The port that was asked for.
    public let port: UInt16

    /// What failed.
    public let reason: Reason

    /// One line for people.
    public var description: String {
      let address = Address(host: host, port: port)
      return switch reason {
      case .unresolvedHost(let text): "cannot listen on \(address): \(text)"
      case .system(let errno): "cannot listen on \(address): \(errno)"
      }
    }
  }
}
