public import SystemPackage

extension HTTPServer {
  /// The reason why a server cannot listen on an address.
  public struct ListenError: Error, Sendable, Equatable, CustomStringConvertible {
    /// The reason.
    public enum Reason: Sendable, Equatable {
      /// The host is neither an address nor a name that resolves; the text is from the resolver.
      case unresolvedHost(String)

      /// The system refused, most often with `.addressInUse`, `.addressNotAvailable` or
      /// `.permissionDenied`.
      case system(Errno)
    }

    /// The requested host.
    public let host: String

    /// The requested port.
    public let port: UInt16

    /// The reason.
    public let reason: Reason

    /// A description in one line.
    public var description: String {
      let address = host.contains(":") ? "[\(host)]:\(port)" : "\(host):\(port)"
      return switch reason {
      case .unresolvedHost(let text): "cannot listen on \(address): \(text)"
      case .system(let errno): "cannot listen on \(address): \(errno)"
      }
    }
  }
}
