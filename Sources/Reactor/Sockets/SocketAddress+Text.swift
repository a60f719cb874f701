internal import PosixAIO
internal import Glibc
internal import SystemPackage

extension SocketAddress: CustomStringConvertible {
  /// The address as in a URL: "127.0.0.1:80", "[::1]:80"; for Unix addresses "unix:/run/x",
  /// "unix:@abstract" and "unix:".
  public var description: String {
    switch storage {
    case .ipv4(_, let port): "\(host):\(port)"
    case .ipv6(_, _, _, let port): "[\(host)]:\(port)"
    case .path, .abstract, .unnamed: Storage.unixPrefix + host
    }
  }

  /// The numeric address without the port; for a Unix address, the part after "unix:". Wraps
  /// `inet_ntop(3)`.
  public var host: String {
    switch storage {
    case .ipv4(let address, _): Self.text(AF_INET, [address])
    case .ipv6(let high, let low, let scope, _):
      Self.text(AF_INET6, [high, low]) + (scope == 0 ? "" : "%\(scope)")
    case .path(let path): path.string
    case .abstract(let name): "@" + String(decoding: name, as: UTF8.self)
    case .unnamed: ""
    }
  }

  private static func text(_ family: Int32, _ address: [some BitwiseCopyable]) -> String {
    var characters = [CChar](repeating: 0, count: Int(INET6_ADDRSTRLEN))
    let written = unsafe inet_ntop(family, address, &characters, socklen_t(characters.count))
    // inet_ntop fails only for an unknown family or too small a buffer.
    require(unsafe written != nil, "SocketAddress: an address has no text")
    return String(
      decoding: characters.prefix { $0 != 0 }.map { UInt8(bitPattern: $0) }, as: UTF8.self)
  }
}

extension SocketAddress.Storage {
  static let unixPrefix = "unix:"

  init?(host: String, port: UInt16) {
    var ipv4: UInt32 = 0
    if unsafe inet_pton(AF_INET, host, &ipv4) == 1 {
      self = .ipv4(ipv4, port: port)
      return
    }
    let parts = host.split(separator: "%", maxSplits: 1, omittingEmptySubsequences: false)
    var halves: (UInt64, UInt64) = (0, 0)
    guard unsafe inet_pton(AF_INET6, String(parts[0]), &halves) == 1 else { return nil }
    var scope: UInt32 = 0
    if parts.count == 2 {
      let interface = String(parts[1])
      scope = unsafe UInt32(interface) ?? if_nametoindex(interface)
      guard scope != 0 else { return nil }
    }
    self = .ip(halves.0, halves.1, scope: scope, port: port)
  }

  init?(_ text: String) {
    if text.hasPrefix(Self.unixPrefix) {
      self.init(unix: String(text.dropFirst(Self.unixPrefix.count)))
      return
    }
    guard let colon = text.lastIndex(of: ":"),
      let port = UInt16(text[text.index(after: colon)...])
    else { return nil }
    let host = text[..<colon]
    if host.hasPrefix("["), host.hasSuffix("]") {
      let host = String(host.dropFirst().dropLast())
      guard host.contains(":") else { return nil }
      self.init(host: host, port: port)
    } else {
      self.init(host: String(host), port: port)
      guard case .ipv4 = self else { return nil }
    }
  }

  private init?(unix text: String) {
    guard text.utf8.count <= SocketAddress.maximumPathByteCount else { return nil }
    if text.isEmpty {
      self = .unnamed
    } else if text.hasPrefix("@") {
      guard text.utf8.count > 1 else { return nil }
      self = .abstract(Array(text.utf8.dropFirst()))
    } else {
      self = .path(FilePath(text))
    }
  }
}
