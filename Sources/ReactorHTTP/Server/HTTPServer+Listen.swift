public import Reactor
internal import SystemPackage

extension HTTPServer {
  /// Listens on a host's address, and starts to accept.
  ///
  /// - Parameters:
  ///   - host: A numeric IPv4 or IPv6 address, or a name. A name is looked up by `getaddrinfo`,
  ///     which may block the loop for seconds. Of several addresses the first one is taken that
  ///     this machine has.
  ///   - port: 0 takes a free one.
  /// - Returns: The address in use, with the real port.
  /// - Throws: ``ListenError``; then nothing was started.
  ///
  /// Otherwise as ``listen(on:)``.
  @discardableResult
  public func listen(host: String, port: UInt16) throws(ListenError) -> SocketAddress {
    var errno = Errno.addressNotAvailable
    for address in try Self.addresses(of: host, port: port) {
      do throws(Errno) {
        return try listen(on: address)
      } catch {
        errno = error
      }
      // Only an address that this machine does not have is passed over: "localhost" often names
      // ::1 first where IPv6 is off. A port in use must be reported, not evaded.
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
