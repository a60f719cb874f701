import Glibc
import Reactor
import ReactorHTTP

/// A client that writes and reads bytes as a test says, blocking, with a deadline for each read.
final class RawClient {
  let socket: Int32
  private var received: [UInt8] = []

  /// - Parameter receiveBufferByteCount: Set before connecting, for a client with a small window.
  init(_ address: SocketAddress, receiveBufferByteCount: Int32? = nil) throws {
    let isIPv6 = address.host.contains(":")
    socket = Glibc.socket(isIPv6 ? AF_INET6 : AF_INET, Int32(SOCK_STREAM.rawValue), 0)
    if var size = receiveBufferByteCount {
      unsafe setsockopt(socket, SOL_SOCKET, SO_RCVBUF, &size, 4)
    }
    var timeout = timeval(tv_sec: 60, tv_usec: 0)
    unsafe setsockopt(
      socket, SOL_SOCKET, SO_RCVTIMEO, &timeout, socklen_t(MemoryLayout<timeval>.size))
    unsafe setsockopt(
      socket, SOL_SOCKET, SO_SNDTIMEO, &timeout, socklen_t(MemoryLayout<timeval>.size))
    let status = isIPv6 ? connect6(address) : connect4(address)
    guard status == 0 else { throw Failure(errno) }
  }

  struct Failure: Error {
    let errno: Int32

    init(_ errno: Int32) {
      self.errno = errno
    }
  }

  deinit {
    close(socket)
  }

  private func connect4(_ address: SocketAddress) -> Int32 {
    var name = sockaddr_in()
    name.sin_family = sa_family_t(AF_INET)
    name.sin_port = address.port.bigEndian
    unsafe inet_pton(AF_INET, address.host, &name.sin_addr)
    return unsafe withUnsafePointer(to: &name) {
      unsafe $0.withMemoryRebound(to: sockaddr.self, capacity: 1) {
        unsafe connect(socket, $0, socklen_t(MemoryLayout<sockaddr_in>.size))
      }
    }
  }

  private func connect6(_ address: SocketAddress) -> Int32 {
    var name = sockaddr_in6()
    name.sin6_family = sa_family_t(AF_INET6)
    name.sin6_port = address.port.bigEndian
    unsafe inet_pton(AF_INET6, address.host, &name.sin6_addr)
    return unsafe withUnsafePointer(to: &name) {
      unsafe $0.withMemoryRebound(to: sockaddr.self, capacity: 1) {
        unsafe connect(socket, $0, socklen_t(MemoryLayout<sockaddr_in6>.size))
      }
    }
  }

  /// Sends all of it; false when the server is gone.
  @discardableResult
  func send(_ text: String) -> Bool {
    send(Array(text.utf8))
  }

  @discardableResult
  func send(_ bytes: [UInt8]) -> Bool {
    var sent = 0
    while sent < bytes.count {
      let count = unsafe bytes[sent...].withUnsafeBytes {
        unsafe Glibc.send(
          socket, $0.baseAddress, $0.count, Int32(MSG_NOSIGNAL))
      }
      guard count > 0 else { return false }
      sent += count
    }
    return true
  }

  /// Closes the sending side only.
  func finishSending() {
    shutdown(socket, Int32(SHUT_WR))
  }

  /// Closes with a reset, as when the client's process is killed with data unread.
  func reset() {
    var option = linger(l_onoff: 1, l_linger: 0)
    unsafe setsockopt(socket, SOL_SOCKET, SO_LINGER, &option, socklen_t(MemoryLayout<linger>.size))
    // The descriptor stays open until the deinit, so that nobody else gets its number.
    var unconnected = sockaddr()
    unconnected.sa_family = sa_family_t(AF_UNSPEC)
    unsafe connect(socket, &unconnected, socklen_t(MemoryLayout<sockaddr>.size))
  }

  /// The port of this end.
  var localPort: UInt16 {
    var name = sockaddr_in()
    var length = socklen_t(MemoryLayout<sockaddr_in>.size)
    unsafe withUnsafeMutablePointer(to: &name) {
      _ = unsafe $0.withMemoryRebound(to: sockaddr.self, capacity: 1) {
        unsafe getsockname(socket, $0, &length)
      }
    }
    return UInt16(bigEndian: name.sin_port)
  }

  /// Waits for bytes. False at the end of the connection; throws for a reset or the deadline.
  private func receive() throws -> Bool {
    var bytes = [UInt8](repeating: 0, count: 65_536)
    let count = unsafe recv(socket, &bytes, bytes.count, 0)
    guard count >= 0 else { throw Failure(errno) }
    received += bytes[..<count]
    return count > 0
  }

  /// Whether bytes have arrived by now.
  var hasReceivedSomething: Bool {
    var byte: UInt8 = 0
    return unsafe recv(socket, &byte, 1, Int32(MSG_PEEK | MSG_DONTWAIT)) > 0
  }

  /// The text up to the first occurrence of `end`, and that.
  func read(through end: String) throws -> String {
    let end = Array(end.utf8)
    var searched = 0
    while true {
      if let found = received.firstRange(of: end, from: searched) {
        defer { received.removeSubrange(..<found) }
        return String(decoding: received[..<found], as: UTF8.self)
      }
      searched = max(0, received.count - end.count)
      guard try receive() else { throw Failure(ECONNABORTED) }
    }
  }

  func read(byteCount: Int) throws -> [UInt8] {
    while received.count < byteCount {
      guard try receive() else { throw Failure(ECONNABORTED) }
    }
    defer { received.removeSubrange(..<byteCount) }
    return Array(received[..<byteCount])
  }

  /// Everything up to the end of the connection.
  func readToEnd() throws -> [UInt8] {
    while try receive() {}
    defer { received = [] }
    return received
  }

  /// One answer, whose length is given or chunked.
  func readAnswer(to method: String = "GET") throws -> Answer {
    let head = try read(through: "\r\n\r\n")
    var answer = Answer(head: head)
    guard method != "HEAD", answer.code != 204, answer.code != 304 else { return answer }
    if let length = answer["Content-Length"].flatMap({ Int($0) }) {
      answer.body = try read(byteCount: length)
    } else if answer["Transfer-Encoding"] == "chunked" {
      while true {
        let size = try read(through: "\r\n").dropLast(1)
        guard let count = Int(size, radix: 16) else { throw Failure(EPROTO) }
        answer.body += try read(byteCount: count)
        _ = try read(byteCount: 2)
        if count == 0 { break }
      }
    } else {
      answer.body = try readToEnd()
    }
    return answer
  }
}

/// An answer as a client reads it.
struct Answer {
  let statusLine: String
  let fields: [(name: String, value: String)]
  var body: [UInt8] = []

  init(head: String) {
    let lines = head.split(separator: "\r\n").map(String.init)
    statusLine = lines.first ?? ""
    fields = lines.dropFirst().map { line in
      let parts = line.split(separator: ":", maxSplits: 1)
      return (String(parts[0]), parts.count > 1 ? String(parts[1].drop { $0 == " " }) : "")
    }
  }

  var code: Int { Int(statusLine.split(separator: " ").dropFirst().first ?? "") ?? 0 }
  var text: String { String(decoding: body, as: UTF8.self) }

  subscript(name: String) -> String? {
    fields.first { $0.name.lowercased() == name.lowercased() }?.value
  }
}

extension [UInt8] {
  /// The index behind the first occurrence of `pattern` that begins at `start` or later.
  fileprivate func firstRange(of pattern: [UInt8], from start: Int) -> Int? {
    guard count >= start + pattern.count else { return nil }
    return (start...(count - pattern.count))
      .first { self[$0..<($0 + pattern.count)].elementsEqual(pattern) }
      .map { $0 + pattern.count }
  }
}
