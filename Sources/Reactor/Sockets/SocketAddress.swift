internal import PosixAIO
public import SystemPackage

/// Where a socket listens, or what it is connected to: an IPv4 or IPv6 address with a port, or a
/// Unix address. Wraps `sockaddr`.
public struct SocketAddress: Hashable, Sendable {
  enum Storage: Hashable {
    /// In the order of the network.
    case ipv4(UInt32, port: UInt16)
    /// The halves as the memory has them.
    case ipv6(UInt64, UInt64, scope: UInt32, port: UInt16)
    case path(FilePath)
    /// The bytes behind the NUL that marks an abstract name.
    case abstract([UInt8])
    /// A Unix socket that was never bound, such as most clients'.
    case unnamed
  }

  let storage: Storage

  init(_ storage: Storage) {
    self.storage = storage
  }

  /// An address given by numbers. Names are looked up by
  /// ``Connection/connect(to:port:on:timeout:configuration:_:)``.
  ///
  /// - Parameters:
  ///   - host: "127.0.0.1", "::1", or "fe80::1%eth0" with the interface of a link-local address.
  ///   - port: 0 lets a listener take a free one.
  /// - Returns: Nil when `host` is no address. Wraps `inet_pton(3)`.
  public init?(host: String, port: UInt16) {
    guard let storage = Storage(host: host, port: port) else { return nil }
    self.storage = storage
  }

  /// An address as ``description`` prints it: "127.0.0.1:80", "[::1]:80", "unix:/run/x",
  /// "unix:@abstract".
  ///
  /// - Parameter text: The address. For anything else the result is nil.
  public init?(_ text: String) {
    guard let storage = Storage(text) else { return nil }
    self.storage = storage
  }

  /// The address of a socket file.
  ///
  /// - Parameter path: 1 to ``maximumPathByteCount`` bytes; a longer one traps.
  public static func unix(_ path: FilePath) -> SocketAddress {
    require(
      !path.isEmpty && path.length <= maximumPathByteCount,
      "SocketAddress: the path of a Unix socket has 1 to 107 bytes")
    return SocketAddress(.path(path))
  }

  /// A Unix address without a file, which goes with its socket. See `unix(7)`.
  ///
  /// - Parameter name: 1 to ``maximumPathByteCount`` bytes; a longer one traps.
  public static func abstract(_ name: String) -> SocketAddress {
    let name = Array(name.utf8)
    require(
      !name.isEmpty && name.count <= maximumPathByteCount,
      "SocketAddress: the name of an abstract Unix socket has 1 to 107 bytes")
    return SocketAddress(.abstract(name))
  }

  /// This machine alone, by IPv4: 127.0.0.1.
  ///
  /// - Parameter port: 0 lets a listener take a free one.
  public static func loopback(port: UInt16) -> SocketAddress {
    SocketAddress(.ipv4(UInt32(0x7F00_0001).bigEndian, port: port))
  }

  /// All of this machine's addresses: "::", which takes IPv4 too, unless the listener is told not
  /// to.
  ///
  /// - Parameter port: 0 lets a listener take a free one.
  public static func any(port: UInt16) -> SocketAddress {
    SocketAddress(.ipv6(0, 0, scope: 0, port: port))
  }

  /// All of this machine's IPv4 addresses: "0.0.0.0".
  ///
  /// - Parameter port: 0 lets a listener take a free one.
  public static func anyIPv4(port: UInt16) -> SocketAddress {
    SocketAddress(.ipv4(0, port: port))
  }

  /// The most bytes of a Unix socket's path or name: `sun_path` without its NUL.
  public static let maximumPathByteCount = 107

  /// What kinds of addresses there are.
  public enum Family: Sendable {
    /// `AF_INET`.
    case ipv4
    /// `AF_INET6`.
    case ipv6
    /// `AF_UNIX`, with a file, with an abstract name or without any.
    case unix
  }

  /// The kind of address.
  public var family: Family {
    switch storage {
    case .ipv4: .ipv4
    case .ipv6: .ipv6
    case .path, .abstract, .unnamed: .unix
    }
  }

  /// The port; 0 for a Unix address.
  public var port: UInt16 {
    switch storage {
    case .ipv4(_, let port), .ipv6(_, _, _, let port): port
    case .path, .abstract, .unnamed: 0
    }
  }

  /// The file of a Unix address that has one.
  public var path: FilePath? {
    if case .path(let path) = storage { path } else { nil }
  }
}
