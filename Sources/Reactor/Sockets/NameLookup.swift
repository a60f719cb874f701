internal import Glibc
internal import PosixAIO
internal import SystemPackage

/// Looks up the addresses of a host name.
package enum NameLookup {
  /// Why the look-up failed: the code of `getaddrinfo(3)`, or the system's error for `EAI_SYSTEM`.
  package struct Failure: Error {
    package let reason: SocketError.Reason
  }

  /// Returns the addresses of a host, in the resolver's order. May block for many seconds.
  ///
  /// - Parameter isPassive: Whether the addresses are for listening: an empty host then means all
  ///   addresses of this machine.
  package static func addresses(
    of host: String, port: UInt16, isPassive: Bool = false
  ) throws(Failure) -> [SocketAddress] {
    var hints = unsafe addrinfo()
    unsafe hints.ai_family = AF_UNSPEC
    unsafe hints.ai_socktype = Int32(SOCK_STREAM.rawValue)
    unsafe hints.ai_flags = isPassive ? AI_PASSIVE : 0
    var found: UnsafeMutablePointer<addrinfo>?
    let code = unsafe getaddrinfo(host, String(port), &hints, &found)
    guard code == 0 else {
      if code == EAI_SYSTEM { throw Failure(reason: .system(.ofLastCall)) }
      let text = unsafe String(cString: gai_strerror(code))
      throw Failure(reason: .resolver(code: code, text))
    }
    defer { unsafe freeaddrinfo(found) }
    var addresses: [SocketAddress] = []
    var candidate = unsafe found
    while let info = unsafe candidate {
      if let address = unsafe info.pointee.ai_addr.flatMap({ plain in
        unsafe SocketAddress(plain, byteCount: info.pointee.ai_addrlen)
      }) {
        addresses.append(address)
      }
      unsafe candidate = info.pointee.ai_next
    }
    return addresses
  }
}

extension Array where Element == SocketAddress {
  /// Alternates the families, starting with the first address's, so that an unreachable family
  /// costs one attempt instead of all of its addresses (RFC 8305, 4).
  func alternatingFamilies() -> [SocketAddress] {
    guard let first else { return self }
    var preferred = filter { $0.family == first.family }[...]
    var others = filter { $0.family != first.family }[...]
    var result: [SocketAddress] = []
    while let next = preferred.popFirst() {
      result.append(next)
      if let other = others.popFirst() { result.append(other) }
    }
    return result + others
  }
}
