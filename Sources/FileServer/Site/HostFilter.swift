import Reactor

/// The host names that requests may be for.
///
/// A page of another site can make its own name point to this machine (DNS rebinding). Browsers
/// then let it read the responses, but send its name in `Host`. Numeric addresses and `localhost`
/// cannot be made to point elsewhere, so they are always allowed.
struct HostFilter: Sendable {
  private let names: Set<String>

  init(_ names: [String]) {
    self.names = Set(names.map { $0.lowercased() } + ["localhost"])
  }

  /// - Parameter authority: The host of a request, with or without a port; nil if a client of
  ///   HTTP/1.0, which is no browser of today, sends none.
  func allows(_ authority: String?) -> Bool {
    guard let authority, !authority.hasPrefix("[") else { return true }
    var host = authority.prefix { $0 != ":" }.lowercased()
    if host.hasSuffix(".") { host.removeLast() }
    return names.contains(host) || SocketAddress(host: host, port: 0) != nil
  }
}
