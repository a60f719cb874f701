public import SystemPackage

extension HTTPServer {
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
      let address = host.contains(":") ? "[\(host)]:\(port)" : "\(host):\(port)"
      return switch reason {
      case .unresolvedHost(let text): "cannot listen on \(address): \(text)"
      case .system(let errno): "cannot listen on \(address): \(errno)"
      }
    }
  }
}
