internal import Glibc
internal import SystemPackage

/// A client, most often of HTTP, that sends the bytes that a test wants sent, blocking, with a
/// deadline for each call.
public final class Client {
  private let socket: Int32
  private var received: [UInt8] = []
  private var chunk = [UInt8](repeating: 0, count: 256 * 1024)

  /// Connects.
  ///
  /// - Parameters:
  ///   - host: A numeric IPv4 or IPv6 address.
  ///   - receiveBufferByteCount: A small one lets the server feel that this client does not read.
  /// - Throws: `Errno`, as all calls here do where the socket says so.
  public init(
    host: String = "127.0.0.1", port: UInt16, receiveBufferByteCount: Int32? = nil
  ) throws {
    let isIPv6 = host.contains(":")
    socket = Glibc.socket(
      isIPv6 ? AF_INET6 : AF_INET, Int32(SOCK_STREAM.rawValue | SOCK_CLOEXEC.rawValue), 0)
    guard socket >= 0 else { throw Errno(rawValue: errno) }
    if let receiveBufferByteCount { set(SO_RCVBUF, receiveBufferByteCount) }
    setTimeout(SO_RCVTIMEO, testDeadline)
    setTimeout(SO_SNDTIMEO, testDeadline)
    guard isIPv6 ? connect6(host, port) : connect4(host, port) else {
      // What connect says stands in errno still: nothing was called since.
      throw Errno(rawValue: errno)
    }
  }

  deinit {
    close(socket)
  }

  private func connect4(_ host: String, _ port: UInt16) -> Bool {
    var name = sockaddr_in()
    name.sin_family = sa_family_t(AF_INET)
    name.sin_port = port.bigEndian
    unsafe inet_pton(AF_INET, host, &name.sin_addr)
    return unsafe withUnsafePointer(to: &name) {
      // Any socket address may be seen as sockaddr; that is how the socket calls are defined.
      unsafe $0.withMemoryRebound(to: sockaddr.self, capacity: 1) {
        unsafe connect(socket, $0, socklen_t(MemoryLayout<sockaddr_in>.size)) == 0
      }
    }
  }

  private func connect6(_ host: String, _ port: UInt16) -> Bool {
    var name = sockaddr_in6()
    name.sin6_family = sa_family_t(AF_INET6)
    name.sin6_port = port.bigEndian
    unsafe inet_pton(AF_INET6, host, &name.sin6_addr)
    return unsafe withUnsafePointer(to: &name) {
      unsafe $0.withMemoryRebound(to: sockaddr.self, capacity: 1) {
        unsafe connect(socket, $0, socklen_t(MemoryLayout<sockaddr_in6>.size)) == 0
      }
    }
  }

  private func set(_ option: Int32, _ value: Int32) {
    var value = value
    unsafe setsockopt(socket, SOL_SOCKET, option, &value, socklen_t(MemoryLayout<Int32>.size))
  }

  private func setTimeout(_ option: Int32, _ timeout: Duration) {
    let (seconds, attoseconds) = timeout.components
    var time = timeval(tv_sec: Int(seconds), tv_usec: Int(attoseconds / 1_000_000_000_000))
    unsafe setsockopt(socket, SOL_SOCKET, option, &time, socklen_t(MemoryLayout<timeval>.size))
  }

  /// The port of this end.
  public var localPort: UInt16 {
    var name = sockaddr_in()
    var length = socklen_t(MemoryLayout<sockaddr_in>.size)
    unsafe withUnsafeMutablePointer(to: &name) {
      _ = unsafe $0.withMemoryRebound(to: sockaddr.self, capacity: 1) {
        unsafe getsockname(socket, $0, &length)
      }
    }
    return UInt16(bigEndian: name.sin_port)
  }

  // MARK: Sending

  /// Sends all of it.
  public func send(_ text: String) throws {
    try send(Array(text.utf8))
  }

  /// Sends all of it.
  public func send(_ bytes: [UInt8]) throws {
    var sent = 0
    while sent < bytes.count {
      let count = unsafe bytes[sent...].withUnsafeBytes {
        unsafe Glibc.send(socket, $0.baseAddress, $0.count, Int32(MSG_NOSIGNAL))
      }
      guard count > 0 else { throw Errno(rawValue: errno) }
      sent += count
    }
  }

  /// Has each piece go out when it is sent, whether the one before was acknowledged or not.
  public func sendPiecesAtOnce() {
    var isOn: Int32 = 1
    unsafe setsockopt(
      socket, Int32(IPPROTO_TCP), TCP_NODELAY, &isOn, socklen_t(MemoryLayout<Int32>.size))
  }

  /// Sends what the kernel takes at once.
  ///
  /// - Returns: How many bytes those were.
  public func sendNow(_ bytes: [UInt8]) throws -> Int {
    let count = unsafe bytes.withUnsafeBytes {
      unsafe Glibc.send(
        socket, $0.baseAddress, $0.count, Int32(MSG_NOSIGNAL | MSG_DONTWAIT))
    }
    if count < 0, errno != EAGAIN { throw Errno(rawValue: errno) }
    return max(0, count)
  }

  /// Sends all of it; false when the server is gone, or takes nothing for too long.
  public func trySend(_ bytes: [UInt8]) -> Bool {
    do {
      try send(bytes)
      return true
    } catch {
      return false
    }
  }

  /// Sends all of it; false when the server is gone, or takes nothing for too long.
  public func trySend(_ text: String) -> Bool { trySend(Array(text.utf8)) }

  /// Gives up sending after a time in which the server takes nothing, with `EAGAIN`.
  public func limitSending(to timeout: Duration) {
    setTimeout(SO_SNDTIMEO, timeout)
  }

  /// Closes the sending direction only.
  public func finishSending() {
    shutdown(socket, Int32(SHUT_WR))
  }

  /// Sends a request, as it stands, without reading the response.
  public func begin(
    _ method: String, _ target: String, headers: [String] = [], body: [UInt8]? = nil
  ) throws {
    let length = body.map { ["Content-Length: \($0.count)"] } ?? []
    let lines = ["\(method) \(target) HTTP/1.1", "Host: test"] + headers + length
    try send(Array((lines.joined(separator: "\r\n") + "\r\n\r\n").utf8) + (body ?? []))
  }

  /// Sends a request and reads its response.
  public func ask(
    _ method: String, _ target: String, headers: [String] = [], body: [UInt8]? = nil
  ) throws -> Response {
    try begin(method, target, headers: headers, body: body)
    return try readResponse(to: method)
  }

  /// Asks for a target and reads the response.
  public func get(_ target: String) throws -> Response { try ask("GET", target) }

  /// Sends a body to a target and reads the response.
  public func put(_ target: String, _ body: some Sequence<UInt8>) throws -> Response {
    try ask("PUT", target, body: Array(body))
  }

  /// Closes the connection with a reset, as when the client's process is killed.
  public func vanish() {
    var option = linger(l_onoff: 1, l_linger: 0)
    unsafe setsockopt(socket, SOL_SOCKET, SO_LINGER, &option, socklen_t(MemoryLayout<linger>.size))
    // The descriptor stays open until the deinit, so that nobody else gets its number.
    var unconnected = sockaddr()
    unconnected.sa_family = sa_family_t(AF_UNSPEC)
    unsafe connect(socket, &unconnected, socklen_t(MemoryLayout<sockaddr>.size))
  }

  // MARK: Receiving

  /// Waits for bytes in `chunk`, and tells how many there are: 0 at the connection's end.
  private func receive() throws -> Int {
    let count = unsafe recv(socket, &chunk, chunk.count, 0)
    guard count >= 0 else { throw Errno(rawValue: errno) }
    return count
  }

  private func receiveMore() throws {
    let count = try receive()
    guard count > 0 else { throw Failure("the server closed the connection where more was due") }
    received += chunk[..<count]
  }

  /// One response: its length is given, or chunked, or goes up to the connection's end.
  public func readResponse(to method: String = "GET") throws -> Response {
    var response = try readHead()
    guard method != "HEAD", response.code >= 200, ![204, 304].contains(response.code) else {
      return response
    }
    if let length = response["Content-Length"].flatMap({ Int($0) }) {
      response.body = try read(byteCount: length)
    } else if response["Transfer-Encoding"] == "chunked" {
      response.body = try readChunks()
    } else {
      response.body = try readToEnd()
    }
    return response
  }

  private func readChunks() throws -> [UInt8] {
    var body: [UInt8] = []
    while true {
      let size = try read(through: "\r\n").dropLast(1)
      guard let count = Int(size, radix: 16) else { throw Failure("\(size) is no chunk's size") }
      body += try read(byteCount: count)
      _ = try read(byteCount: 2)
      if count == 0 { return body }
    }
  }

  /// One response without its body.
  public func readHead() throws -> Response {
    Response(head: try read(through: "\r\n\r\n"))
  }

  /// The text up to the first occurrence of `end`, and that.
  public func read(through end: String) throws -> String {
    var searched = 0
    while true {
      if let found = received.end(ofFirst: end, from: searched) {
        return String(decoding: try read(byteCount: found), as: UTF8.self)
      }
      searched = max(0, received.count - end.utf8.count)
      try receiveMore()
    }
  }

  /// Whether the server has ended its side, and all that came before was read.
  public var hasSeenTheEnd: Bool {
    var byte: UInt8 = 0
    return unsafe recv(socket, &byte, 1, Int32(MSG_PEEK | MSG_DONTWAIT)) == 0
  }

  /// Whether bytes have arrived by now.
  public var hasReceivedSomething: Bool {
    var byte: UInt8 = 0
    return unsafe recv(socket, &byte, 1, Int32(MSG_PEEK | MSG_DONTWAIT)) > 0
  }

  /// So many bytes.
  public func read(byteCount: Int) throws -> [UInt8] {
    while received.count < byteCount { try receiveMore() }
    defer { received.removeFirst(byteCount) }
    return Array(received[..<byteCount])
  }

  /// Reads bytes and forgets them.
  ///
  /// - Returns: How many there were: fewer than asked for if the connection ended, be it by a
  ///   reset.
  public func skip(byteCount: Int) throws -> Int {
    var count = min(byteCount, received.count)
    received.removeFirst(count)
    while count < byteCount {
      do {
        let more = try receive()
        guard more > 0 else { break }
        let taken = min(more, byteCount - count)
        received += chunk[taken..<more]
        count += taken
      } catch Errno.connectionReset {
        break
      }
    }
    return count
  }

  /// Everything up to the connection's end.
  public func readToEnd() throws -> [UInt8] {
    while true {
      let count = try receive()
      guard count > 0 else { break }
      received += chunk[..<count]
    }
    defer { received = [] }
    return received
  }
}
