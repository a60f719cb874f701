internal import Reactor
internal import SystemPackage

/// Makes a socket that listens on the first of a host's addresses that this machine has.
func bindListeningSocket(
  host: String, port: UInt16, _ configuration: HTTPServer.Configuration
) throws(HTTPServer.ListenError) -> (socket: Int32, address: SocketAddress) {
  var options = SocketCalls.ListenOptions()
  options.backlog = configuration.backlog
  options.reusesPort = configuration.reusesPort
  var errno = Errno.addressNotAvailable
  for address in try addresses(of: host, port: port) {
    do throws(Errno) {
      let socket = try SocketCalls.listen(on: address, options)
      return (socket, try SocketCalls.localAddress(of: socket))
    } catch {
      errno = error
    }
    // Only an address that this machine does not have is passed over: "localhost" often names
    // ::1 first where IPv6 is off. A port in use must be reported, not evaded.
    guard errno == .addressNotAvailable || errno == .addressFamilyNotSupported else { break }
  }
  throw HTTPServer.ListenError(host: host, port: port, reason: .system(errno))
}

private func addresses(
  of host: String, port: UInt16
) throws(HTTPServer.ListenError) -> [SocketAddress] {
  do throws(NameLookup.Failure) {
    return try NameLookup.addresses(of: host, port: port, isPassive: true)
  } catch {
    let reason: HTTPServer.ListenError.Reason =
      switch error.reason {
      case .system(let errno): .system(errno)
      case .resolver(_, let text): .unresolvedHost(text)
      }
    throw HTTPServer.ListenError(host: host, port: port, reason: reason)
  }
}
