internal import Glibc
internal import SystemPackage

/// Makes a socket that listens. Our own calls, since evhttp's lose the reason of a failure.
func bindListeningSocket(
  host: String, port: UInt16, backlog: Int
) throws(HTTPServer.ListenError) -> (socket: Int32, address: HTTPServer.Address) {
  func failure(_ reason: HTTPServer.ListenError.Reason) -> HTTPServer.ListenError {
    HTTPServer.ListenError(host: host, port: port, reason: reason)
  }
  var hints = unsafe addrinfo()
  unsafe hints.ai_family = AF_UNSPEC
  unsafe hints.ai_socktype = Int32(SOCK_STREAM.rawValue)
  unsafe hints.ai_flags = AI_PASSIVE
  var found: UnsafeMutablePointer<addrinfo>?
  let code = unsafe getaddrinfo(host, String(port), &hints, &found)
  guard code == 0, let found = unsafe found else {
    if code == EAI_SYSTEM { throw failure(.system(lastErrno())) }
    throw failure(.unresolvedHost(unsafe String(cString: gai_strerror(code))))
  }
  defer { unsafe freeaddrinfo(found) }

  var errno = Errno.addressNotAvailable
  var candidate: UnsafeMutablePointer<addrinfo>? = unsafe found
  while let info = unsafe candidate {
    switch unsafe openListeningSocket(info.pointee, backlog) {
    case .success(let socket): return (socket, localAddress(of: socket))
    case .failure(let reason): errno = reason
    }
    // Only an address that this machine does not have is passed over: "localhost" often names
    // ::1 first where IPv6 is off. A port in use must be reported, not evaded.
    guard errno == .addressNotAvailable || errno == .addressFamilyNotSupported else { break }
    unsafe candidate = info.pointee.ai_next
  }
  throw failure(.system(errno))
}

private func openListeningSocket(_ info: addrinfo, _ backlog: Int) -> Result<Int32, Errno> {
  let type = unsafe info.ai_socktype | Int32(SOCK_CLOEXEC.rawValue | SOCK_NONBLOCK.rawValue)
  let descriptor = unsafe socket(info.ai_family, type, info.ai_protocol)
  guard descriptor >= 0 else { return .failure(lastErrno()) }
  // Answers at once after a restart, while old connections still time out.
  setOption(descriptor, SOL_SOCKET, SO_REUSEADDR)
  // Accepted sockets inherit it on Linux. Without it a kept-alive client waits 40 ms for the last
  // segment of an answer.
  setOption(descriptor, Int32(IPPROTO_TCP), TCP_NODELAY)
  guard unsafe bind(descriptor, info.ai_addr, info.ai_addrlen) == 0,
    listen(descriptor, Int32(clamping: backlog)) == 0
  else {
    let reason = lastErrno()
    close(descriptor)
    return .failure(reason)
  }
  return .success(descriptor)
}

private func setOption(_ socket: Int32, _ level: Int32, _ option: Int32) {
  var on: Int32 = 1
  let result = unsafe setsockopt(socket, level, option, &on, socklen_t(MemoryLayout<Int32>.size))
  precondition(result == 0, "HTTPServer: a new TCP socket refuses an option")
}

private func localAddress(of socket: Int32) -> HTTPServer.Address {
  var storage = sockaddr_storage()
  var length = socklen_t(MemoryLayout<sockaddr_storage>.size)
  var host = [CChar](repeating: 0, count: Int(NI_MAXHOST))
  var port = [CChar](repeating: 0, count: Int(NI_MAXSERV))
  let code = unsafe withUnsafeMutablePointer(to: &storage) { storage in
    // Any socket address may be seen as sockaddr; that is how the socket calls are defined.
    unsafe storage.withMemoryRebound(to: sockaddr.self, capacity: 1) { address in
      guard unsafe getsockname(socket, address, &length) == 0 else { return EAI_SYSTEM }
      return unsafe getnameinfo(
        address, length, &host, socklen_t(host.count), &port, socklen_t(port.count),
        NI_NUMERICHOST | NI_NUMERICSERV)
    }
  }
  guard code == 0, let number = UInt16(text(port)) else {
    preconditionFailure("HTTPServer: a bound TCP socket has no address")
  }
  return HTTPServer.Address(host: text(host), port: number)
}

/// The text before the NUL of a C string.
private func text(_ characters: [CChar]) -> String {
  String(decoding: characters.prefix { $0 != 0 }.map { UInt8(bitPattern: $0) }, as: UTF8.self)
}

/// The one place that reads `errno`.
private func lastErrno() -> Errno { Errno(rawValue: errno) }
