internal import CLibevent
internal import Glibc
internal import SystemPackage

// Converts to and from C's socket addresses.
extension SocketAddress {
  /// Calls `body` with the address in the form that socket calls take.
  func withCAddress<Result>(
    _ body: (UnsafePointer<sockaddr>, socklen_t) throws(Errno) -> Result
  ) throws(Errno) -> Result {
    var address = sockaddr_storage()
    let byteCount = fill(&address)
    return try unsafe withUnsafePointer(to: &address) { storage throws(Errno) in
      // Any socket address may be accessed as sockaddr; the socket calls are defined that way.
      let plain = unsafe UnsafeRawPointer(storage).assumingMemoryBound(to: sockaddr.self)
      return try unsafe body(plain, socklen_t(byteCount))
    }
  }

  /// Converts an address from a socket call; nil for an unsupported address family.
  init?(_ address: UnsafePointer<sockaddr>, byteCount: socklen_t) {
    let memory = unsafe UnsafeRawPointer(address)
    switch Int32(unsafe address.pointee.sa_family) {
    case AF_INET:
      let address = unsafe memory.loadUnaligned(as: sockaddr_in.self)
      storage = .ipv4(address.sin_addr.s_addr, port: UInt16(bigEndian: address.sin_port))
    case AF_INET6:
      let address = unsafe memory.loadUnaligned(as: sockaddr_in6.self)
      let halves = unsafe unsafeBitCast(address.sin6_addr, to: (UInt64, UInt64).self)
      storage = .ip(
        halves.0, halves.1, scope: address.sin6_scope_id,
        port: UInt16(bigEndian: address.sin6_port))
    case AF_UNIX:
      let start = Self.pathOffset
      let bytes = unsafe UnsafeRawBufferPointer(
        start: memory + start, count: max(0, Int(byteCount) - start))
      storage = unsafe .init(unixBytes: Array(bytes))
    default: return nil
    }
  }

  static let pathOffset = MemoryLayout<sockaddr_un>.offset(of: \.sun_path) ?? 0

  /// - Returns: The length of the address in bytes.
  private func fill(_ storage: inout sockaddr_storage) -> Int {
    unsafe withUnsafeMutableBytes(of: &storage) { memory in
      switch self.storage {
      case .ipv4(let bytes, let port):
        var address = sockaddr_in()
        address.sin_family = sa_family_t(AF_INET)
        address.sin_port = port.bigEndian
        address.sin_addr.s_addr = bytes
        unsafe memory.storeBytes(of: address, as: sockaddr_in.self)
        return MemoryLayout<sockaddr_in>.size
      case .ipv6(let high, let low, let scope, let port):
        var address = sockaddr_in6()
        address.sin6_family = sa_family_t(AF_INET6)
        address.sin6_port = port.bigEndian
        address.sin6_scope_id = scope
        address.sin6_addr = unsafe unsafeBitCast((high, low), to: in6_addr.self)
        unsafe memory.storeBytes(of: address, as: sockaddr_in6.self)
        return MemoryLayout<sockaddr_in6>.size
      case .path(let path):
        // The final NUL counts; the storage was zeroed.
        let name = unsafe path.withPlatformString {
          unsafe Array(UnsafeRawBufferPointer(start: $0, count: path.length))
        }
        return unsafe Self.fillUnix(memory, name + [0])
      case .abstract(let name): return unsafe Self.fillUnix(memory, [0] + name)
      case .unnamed: return unsafe Self.fillUnix(memory, [])
      }
    }
  }

  private static func fillUnix(_ memory: UnsafeMutableRawBufferPointer, _ name: [UInt8]) -> Int {
    unsafe memory.storeBytes(of: sa_family_t(AF_UNIX), as: sa_family_t.self)
    let target = unsafe UnsafeMutableRawBufferPointer(rebasing: memory[pathOffset...])
    unsafe target.copyBytes(from: name)
    return pathOffset + name.count
  }
}

extension SocketAddress.Storage {
  fileprivate init(unixBytes bytes: [UInt8]) {
    if bytes.isEmpty {
      self = .unnamed
    } else if bytes[0] == 0 {
      self = .abstract(Array(bytes.dropFirst()))
    } else {
      // Some calls count the NUL after a path, some do not.
      let name = bytes.prefix { $0 != 0 }.map { CChar(bitPattern: $0) } + [0]
      self = .path(FilePath(platformString: name))
    }
  }
}
