public import Reactor
internal import SystemPackage

extension HTTPServer {
  /// Listens on the address of a host, and starts to accept clients.
  ///
  /// - Parameters:
  ///   - host: A numeric IPv4 or IPv6 address, or a name. Names are looked up with
  ///     `getaddrinfo(3)`, which may block the loop for seconds. If a name has several addresses,
  ///     the first that this machine has is used.
  ///   - port: The port; 0 picks a free one.
  /// - Returns: The address in use, with the actual port.
  /// - Throws: ``ListenError``; nothing was started.
  ///
  /// In all other respects this equals ``listen(on:)``.
  @discardableResult
  public func listen(host: String, port: UInt16) throws(ListenError) -> SocketAddress {
    var errno = Errno.addressNotAvailable
    for address in try Self.addresses(of: host, port: port) {
      do throws(Errno) {
        return try listen(on: address)
      } catch {
        errno = error
      }
      // Skip only addresses that this machine does not have: "localhost" often resolves to ::1
      // first although IPv6 is off. Report a port in use instead of trying the next address.
      guard errno == .addressNotAvailable || errno == .addressFamilyNotSupported else { break }
    }
    throw ListenError(host: host, port: port, reason: .system(errno))
  }

  private static func addresses(
    of host: String, port: UInt16
  ) throws(ListenError) -> [SocketAddress] {
    do throws(NameLookup.Failure) {
      return try NameLookup.addresses(of: host, port: port, isPassive: true)
    } catch {
      let reason: ListenError.Reason =
        switch error.reason {
        case .system(let errno): .system(errno)
        case .resolver(_, let text): .unresolvedHost(text)
        }
      throw ListenError(host: host, port: port, reason: reason)
    }
  }
}
