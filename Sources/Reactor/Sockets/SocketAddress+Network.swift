extension SocketAddress {
  /// The addresses that one client usually has, as an address with port 0: an IPv4 address, or an
  /// IPv6 network of 64 bits. Nil for a Unix address.
  package var clientNetwork: SocketAddress? {
    switch storage {
    case .ipv4(let host, _): SocketAddress(.ipv4(host, port: 0))
    case .ipv6(let high, _, let scope, _): SocketAddress(.ipv6(high, 0, scope: scope, port: 0))
    case .path, .abstract, .unnamed: nil
    }
  }

  /// Whether this is `127.0.0.0/8` or `::1`.
  package var isLoopback: Bool {
    switch storage {
    case .ipv4(let host, _): UInt32(bigEndian: host) >> 24 == 127
    case .ipv6(let high, let low, _, _): high == 0 && UInt64(bigEndian: low) == 1
    case .path, .abstract, .unnamed: false
    }
  }
}
