internal import Glibc
internal import PosixAIO
internal import SystemPackage

/// Finding the addresses of a name.
package enum NameLookup {
  /// Why there are none: `getaddrinfo(3)`'s code, or the system's reason behind `EAI_SYSTEM`.
  package struct Failure: Error {
    package let reason: SocketError.Reason
  }

  /// The addresses of a host, in the resolver's order. May block for many seconds.
  ///
  /// - Parameter isPassive: For listening: no host means all of this machine's addresses.
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
  /// The families in turns, beginning with the first address's: a family that does not get through
  /// costs one try, not all of its addresses (RFC 8305, 4).
  func withFamiliesInTurns() -> [SocketAddress] {
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
