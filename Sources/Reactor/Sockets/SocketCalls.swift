internal import CLibevent
internal import CReactor
internal import Glibc
internal import PosixAIO
package import SystemPackage

/// The socket calls of libc. The reactor makes, binds and connects sockets only here.
package enum SocketCalls {
  /// The options of a listening socket.
  package struct ListenOptions: Sendable {
    package var backlog = 128
    /// Allows binding right after a restart, while old connections still time out.
    package var reusesAddress = true
    package var reusesPort = false
    /// Whether the port must be free, also of sockets that share it.
    package var requiresFreePort = false
    /// Nil leaves it to the system.
    package var isIPv6Only: Bool?
    package var tcp = TCPOptions()

    package init() {}
  }

  /// Options that accepted sockets inherit from the listening one on Linux.
  package struct TCPOptions: Sendable {
    /// Without it, a small response sent after another can wait 40 ms for the peer's
    /// acknowledgement.
    package var sendsAtOnce = true
    /// Nil sends no probes. One second or more.
    package var keepAliveIdleTime: Duration?

    /// The longest time that the kernel accepts (MAX_TCP_KEEPIDLE).
    fileprivate static let longestIdleTime = Duration.seconds(32_767)

    package init() {}
  }

  /// Makes a listening socket.
  package static func listen(
    on address: SocketAddress, _ options: ListenOptions
  ) throws(Errno) -> Int32 {
    let socket = try open(address.family)
    do throws(Errno) {
      if options.reusesAddress, address.family != .unix {
        try set(socket, SOL_SOCKET, SO_REUSEADDR, 1)
      }
      let sharesAtOnce = options.reusesPort && !options.requiresFreePort
      if sharesAtOnce { try set(socket, SOL_SOCKET, SO_REUSEPORT, 1) }
      if let isIPv6Only = options.isIPv6Only, address.family == .ipv6 {
        try set(socket, Int32(IPPROTO_IPV6), IPV6_V6ONLY, isIPv6Only ? 1 : 0)
      }
      try apply(options.tcp, to: socket, address.family)
      try unsafe address.withCAddress { address, byteCount throws(Errno) in
        _ = try checked(unsafe bind(socket, address, byteCount))
      }
      try checked(Glibc.listen(socket, Int32(clamping: options.backlog)))
      // Until here, the kernel has refused a port that others share, and others that want to share
      // this one. Sockets that are bound from now on may.
      if options.reusesPort, !sharesAtOnce { try set(socket, SOL_SOCKET, SO_REUSEPORT, 1) }
    } catch {
      close(socket)
      throw error
    }
    return socket
  }

  /// Makes a non-blocking, close-on-exec stream socket.
  static func open(_ family: SocketAddress.Family) throws(Errno) -> Int32 {
    let domain =
      switch family {
      case .ipv4: AF_INET
      case .ipv6: AF_INET6
      case .unix: AF_UNIX
      }
    let flags = SOCK_STREAM.rawValue | SOCK_CLOEXEC.rawValue | SOCK_NONBLOCK.rawValue
    return try checked(socket(domain, Int32(flags), 0))
  }

  /// Starts connecting. Wraps `connect(2)`.
  ///
  /// - Returns: Whether the socket is already connected.
  static func connect(_ socket: Int32, to address: SocketAddress) throws(Errno) -> Bool {
    do throws(Errno) {
      try unsafe address.withCAddress { address, byteCount throws(Errno) in
        _ = try checked(unsafe Glibc.connect(socket, address, byteCount))
      }
      return true
    } catch .nowInProgress {
      return false
    } catch .interrupted {
      // The attempt continues (connect(2)).
      return false
    }
  }

  /// Accepts a waiting client on a non-blocking, close-on-exec socket. Wraps `accept4(2)`.
  ///
  /// - Returns: The socket, and the peer's address if its family is supported.
  /// - Throws: The call's error. ``isOfOneClient(_:)`` says whether it concerns only that client.
  static func accept(from socket: Int32) throws(Errno) -> (Int32, SocketAddress?) {
    var storage = sockaddr_storage()
    var byteCount = socklen_t(MemoryLayout<sockaddr_storage>.size)
    return try unsafe withUnsafeMutablePointer(to: &storage) { storage throws(Errno) in
      let plain = unsafe UnsafeMutableRawPointer(storage).assumingMemoryBound(to: sockaddr.self)
      let client = try checked(unsafe creactor_accept(socket, plain, &byteCount))
      return (client, unsafe SocketAddress(plain, byteCount: byteCount))
    }
  }

  /// Whether a failed accept lost only that client: it or its network went away before it was
  /// accepted. The kernel has removed it from the queue; accept(2) says to retry.
  static func isOfOneClient(_ error: Errno) -> Bool {
    switch error.rawValue {
    case EINTR, ECONNABORTED, EPROTO, ENETDOWN, ENETUNREACH, EHOSTDOWN, EHOSTUNREACH, ENONET,
      ENOPROTOOPT, EOPNOTSUPP:
      true
    default: false
    }
  }

  /// Returns the error of a finished connect, or nil for success. Wraps `SO_ERROR`.
  static func pendingError(of socket: Int32) -> Errno? {
    var code: Int32 = 0
    var byteCount = socklen_t(MemoryLayout<Int32>.size)
    guard unsafe getsockopt(socket, SOL_SOCKET, SO_ERROR, &code, &byteCount) == 0 else {
      return .ofLastCall
    }
    return code == 0 ? nil : Errno(rawValue: code)
  }

  /// Sets the TCP options; does nothing to a Unix socket.
  static func apply(
    _ options: TCPOptions, to socket: Int32, _ family: SocketAddress.Family
  ) throws(Errno) {
    guard family != .unix else { return }
    if options.sendsAtOnce { try set(socket, Int32(IPPROTO_TCP), TCP_NODELAY, 1) }
    if let idleTime = options.keepAliveIdleTime {
      try set(socket, SOL_SOCKET, SO_KEEPALIVE, 1)
      let seconds = Int32(min(idleTime, TCPOptions.longestIdleTime).components.seconds)
      try set(socket, Int32(IPPROTO_TCP), TCP_KEEPIDLE, seconds)
    }
  }

  /// Prepares a connected socket that other code made: sets its options and makes it non-blocking.
  ///
  /// - Returns: The peer's address.
  static func adopt(_ socket: Int32, _ options: TCPOptions) throws(Errno) -> SocketAddress {
    let address = try peerAddress(of: socket)
    try apply(options, to: socket, address.family)
    try checked(fcntl(socket, F_SETFL, try checked(fcntl(socket, F_GETFL)) | O_NONBLOCK))
    return address
  }

  /// Whether a call returns at once where it would have to wait. Wraps `F_GETFL`.
  static func isNonBlocking(_ socket: Int32) -> Bool {
    let flags = fcntl(socket, F_GETFL)
    return flags >= 0 && flags & O_NONBLOCK != 0
  }

  /// The socket's own address. Wraps `getsockname(2)`.
  package static func localAddress(of socket: Int32) throws(Errno) -> SocketAddress {
    try unsafe address { unsafe getsockname(socket, $0, $1) }
  }

  /// The peer's address. Wraps `getpeername(2)`.
  static func peerAddress(of socket: Int32) throws(Errno) -> SocketAddress {
    try unsafe address { unsafe getpeername(socket, $0, $1) }
  }

  /// The sent bytes that the peer has not acknowledged; 0 if unknown. Wraps `SIOCOUTQ`.
  static func unacknowledgedByteCount(of socket: Int32) -> Int {
    var count: Int32 = 0
    return unsafe ioctl(socket, UInt(TIOCOUTQ), &count) == 0 ? Int(count) : 0
  }

  /// Ends the output. Wraps `shutdown(2)`.
  ///
  /// An error means that the connection is gone, which the next read reports.
  static func shutdownOutput(of socket: Int32) {
    _ = shutdown(socket, Int32(SHUT_WR))
  }

  /// Makes `close` drop unsent bytes and reset the connection. Wraps `SO_LINGER`.
  static func resetOnClose(_ socket: Int32) {
    var option = linger(l_onoff: 1, l_linger: 0)
    // Fails only if it is not a socket; then there is nothing to reset.
    unsafe setsockopt(
      socket, SOL_SOCKET, SO_LINGER, &option, socklen_t(MemoryLayout<linger>.size))
  }

  /// Wraps `close(2)`. Linux releases the descriptor even if the call fails.
  package static func close(_ socket: Int32) {
    _ = Glibc.close(socket)
  }

  private static func address(
    _ call: (UnsafeMutablePointer<sockaddr>, UnsafeMutablePointer<socklen_t>) -> Int32
  ) throws(Errno) -> SocketAddress {
    var storage = sockaddr_storage()
    var byteCount = socklen_t(MemoryLayout<sockaddr_storage>.size)
    let address = try unsafe withUnsafeMutablePointer(to: &storage) { storage throws(Errno) in
      let plain = unsafe UnsafeMutableRawPointer(storage).assumingMemoryBound(to: sockaddr.self)
      _ = try checked(unsafe call(plain, &byteCount))
      return unsafe SocketAddress(plain, byteCount: byteCount)
    }
    guard let address else { throw .addressFamilyNotSupported }
    return address
  }

  private static func set(
    _ socket: Int32, _ level: Int32, _ option: Int32, _ value: Int32
  ) throws(Errno) {
    var value = value
    try checked(
      unsafe setsockopt(socket, level, option, &value, socklen_t(MemoryLayout<Int32>.size)))
  }
}
