internal import CLibevent
internal import CLibeventExtra
public import Reactor
internal import SystemPackage

extension HTTPServer {
  /// Listens on an address, and starts to accept.
  ///
  /// - Parameters:
  ///   - host: A numeric IPv4 or IPv6 address, or a name. A name is looked up by `getaddrinfo`,
  ///     which may block the loop for seconds. Of several addresses the first one is taken that
  ///     this machine has.
  ///   - port: 0 takes a free one.
  /// - Returns: The address in use, with the real port.
  /// - Throws: ``ListenError``; then nothing was started. May be called several times, for several
  ///   addresses.
  ///
  /// Traps after ``shutDown(_:)``. Wraps `socket`, `bind`, `listen` and
  /// `evhttp_accept_socket_with_handle`.
  @discardableResult
  public func listen(host: String, port: UInt16) throws(ListenError) -> SocketAddress {
    core.checkThread()
    guard !core.isEnding else {
      throw ListenError(host: host, port: port, reason: .system(.canceled))
    }
    guard case .open(let http) = state else {
      preconditionFailure("HTTPServer: listen was called after shutDown")
    }
    let (socket, address) = try bindListeningSocket(host: host, port: port, configuration)
    guard let bound = unsafe evhttp_accept_socket_with_handle(http, socket) else { outOfMemory() }
    unsafe gate.add(bound)
    return address
  }
}
