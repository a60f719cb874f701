internal import PosixAIO
public import SystemPackage

/// The address of a socket or its peer: IPv4 or IPv6 with a port, or a Unix address. Wraps
/// `sockaddr`.
///
/// An IPv4 address is the same with and without IPv6's mapping, by which a listener on
/// ``any(port:)`` sees its IPv4 clients: `::ffff:127.0.0.1` is 127.0.0.1.
public struct SocketAddress: Hashable, Sendable {
  enum Storage: Hashable {
    /// In network byte order.
    case ipv4(UInt32, port: UInt16)
    /// The two halves in memory order. Make it by ``ip(_:_:scope:port:)``.
    case ipv6(UInt64, UInt64, scope: UInt32, port: UInt16)
    case path(FilePath)
    /// The bytes after the NUL that marks an abstract name.
    case abstract([UInt8])
    /// An unbound Unix socket, such as most clients'.
    case unnamed

    /// An IPv6 address, or the IPv4 address that is mapped into it.
    static func ip(_ high: UInt64, _ low: UInt64, scope: UInt32, port: UInt16) -> Storage {
      let bytes = UInt64(bigEndian: low)
      guard high == 0, bytes >> 32 == 0xFFFF else {
        return .ipv6(high, low, scope: scope, port: port)
      }
      return .ipv4(UInt32(truncatingIfNeeded: bytes).bigEndian, port: port)
    }
  }

  let storage: Storage

  init(_ storage: Storage) {
    self.storage = storage
  }

  /// Creates a numeric address. ``Connection/connect(to:port:on:timeout:configuration:_:)`` looks
  /// up names.
  ///
  /// - Parameters:
  ///   - host: "127.0.0.1", "::1", or "fe80::1%eth0" with the interface of a link-local address.
  ///   - port: The port; 0 lets a listener pick a free one.
  /// - Returns: Nil when `host` is not a numeric address. Wraps `inet_pton(3)`.
  public init?(host: String, port: UInt16) {
    guard let storage = Storage(host: host, port: port) else { return nil }
    self.storage = storage
  }

  /// Parses an address as ``description`` prints it: "127.0.0.1:80", "[::1]:80", "unix:/run/x",
  /// "unix:@abstract".
  ///
  /// - Parameter text: The address. Any other text gives nil.
  public init?(_ text: String) {
    guard let storage = Storage(text) else { return nil }
    self.storage = storage
  }

  /// The address of a socket file.
  ///
  /// - Parameter path: The path, 1 to ``maximumPathByteCount`` bytes; otherwise it traps.
  public static func unix(_ path: FilePath) -> SocketAddress {
    require(
      !path.isEmpty && path.length <= maximumPathByteCount,
      "SocketAddress: the path of a Unix socket must have 1 to 107 bytes")
    return SocketAddress(.path(path))
  }

  /// An abstract Unix address, which has no file and disappears with its socket. See `unix(7)`.
  ///
  /// - Parameter name: The name, 1 to ``maximumPathByteCount`` bytes; otherwise it traps.
  public static func abstract(_ name: String) -> SocketAddress {
    let name = Array(name.utf8)
    require(
      !name.isEmpty && name.count <= maximumPathByteCount,
      "SocketAddress: the name of an abstract Unix socket must have 1 to 107 bytes")
    return SocketAddress(.abstract(name))
  }

  /// The IPv4 loopback address: 127.0.0.1.
  ///
  /// - Parameter port: The port; 0 lets a listener pick a free one.
  public static func loopback(port: UInt16) -> SocketAddress {
    SocketAddress(.ipv4(UInt32(0x7F00_0001).bigEndian, port: port))
  }

  /// All addresses of this machine: "::". It includes IPv4, unless the listener sets
  /// ``Listener/Configuration/isIPv6Only`` or the system does.
  ///
  /// - Parameter port: The port; 0 lets a listener pick a free one.
  public static func any(port: UInt16) -> SocketAddress {
    SocketAddress(.ipv6(0, 0, scope: 0, port: port))
  }

  /// All IPv4 addresses of this machine: "0.0.0.0".
  ///
  /// - Parameter port: The port; 0 lets a listener pick a free one.
  public static func anyIPv4(port: UInt16) -> SocketAddress {
    SocketAddress(.ipv4(0, port: port))
  }

  /// The most bytes of a Unix socket's path or name: `sun_path` without its NUL.
  public static let maximumPathByteCount = 107

  /// The kind of an address.
  public enum Family: Sendable {
    /// `AF_INET`.
    case ipv4
    /// `AF_INET6`.
    case ipv6
    /// `AF_UNIX`, with a file, an abstract name or no name.
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

  /// The path of a Unix address with a file; otherwise nil.
  public var path: FilePath? {
    if case .path(let path) = storage { path } else { nil }
  }
}
