import Glibc
import SystemPackage
import TestSupport

/// A client, most often of HTTP, that sends the bytes that a test wants sent, blocking, with a
/// deadline for each call.
final class Client {
  private let socket: Int32
  private var received: [UInt8] = []
  private var chunk = [UInt8](repeating: 0, count: 256 * 1024)

  /// - Parameter receiveBufferByteCount: A small one lets the server feel that this client does not
  ///   read.
  init(port: UInt16, receiveBufferByteCount: Int32? = nil) throws {
    socket = Glibc.socket(
      AF_INET, Int32(SOCK_STREAM.rawValue | SOCK_CLOEXEC.rawValue), 0)
    guard socket >= 0 else { throw Errno(rawValue: errno) }
    if var size = receiveBufferByteCount {
      unsafe setsockopt(
        socket, SOL_SOCKET, SO_RCVBUF, &size, socklen_t(MemoryLayout<Int32>.size))
    }
    var timeout = timeval(tv_sec: Int(testDeadline.components.seconds), tv_usec: 0)
    for option in [SO_RCVTIMEO, SO_SNDTIMEO] {
      unsafe setsockopt(
        socket, SOL_SOCKET, option, &timeout, socklen_t(MemoryLayout<timeval>.size))
    }
    try connect(port)
  }

  deinit {
    close(socket)
  }

  private func connect(_ port: UInt16) throws {
    var name = sockaddr_in()
    name.sin_family = sa_family_t(AF_INET)
    name.sin_port = port.bigEndian
    name.sin_addr.s_addr = UInt32(0x7F00_0001).bigEndian
    let result = unsafe withUnsafePointer(to: &name) {
      // Any socket address may be seen as sockaddr; that is how the socket calls are defined.
      unsafe $0.withMemoryRebound(to: sockaddr.self, capacity: 1) {
        unsafe Glibc.connect(socket, $0, socklen_t(MemoryLayout<sockaddr_in>.size))
      }
    }
    // What connect says stands in errno still: nothing was called since.
    guard result == 0 else {
      throw Errno(rawValue: errno)
    }
  }

  // MARK: Sending

  func send(_ text: String) throws {
    try send(Array(text.utf8))
  }

  func send(_ bytes: [UInt8]) throws {
    var sent = 0
    while sent < bytes.count {
      let count = unsafe bytes[sent...].withUnsafeBytes {
        unsafe Glibc.send(socket, $0.baseAddress, $0.count, Int32(MSG_NOSIGNAL))
      }
      guard count > 0 else { throw Errno(rawValue: errno) }
      sent += count
    }
  }

  /// Sends a request, as it stands, without reading the answer.
  func begin(
    _ method: String, _ target: String, headers: [String] = [], body: [UInt8]? = nil
  ) throws {
    let length = body.map { ["Content-Length: \($0.count)"] } ?? []
    let lines = ["\(method) \(target) HTTP/1.1", "Host: test"] + headers + length
    try send(Array((lines.joined(separator: "\r\n") + "\r\n\r\n").utf8) + (body ?? []))
  }

  /// Sends a request and reads its answer.
  func ask(
    _ method: String, _ target: String, headers: [String] = [], body: [UInt8]? = nil
  ) throws -> Answer {
    try begin(method, target, headers: headers, body: body)
    return try readAnswer(to: method)
  }

  func get(_ target: String) throws -> Answer { try ask("GET", target) }

  func put(_ target: String, _ body: some Sequence<UInt8>) throws -> Answer {
    try ask("PUT", target, body: Array(body))
  }

  /// Closes the connection with a reset, as when the client's process is killed.
  func vanish() {
    var option = linger(l_onoff: 1, l_linger: 0)
    unsafe setsockopt(socket, SOL_SOCKET, SO_LINGER, &option, socklen_t(MemoryLayout<linger>.size))
    // The descriptor stays open until the deinit, so that nobody else gets its number.
    var unconnected = sockaddr()
    unconnected.sa_family = sa_family_t(AF_UNSPEC)
    unsafe Glibc.connect(socket, &unconnected, socklen_t(MemoryLayout<sockaddr>.size))
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

  /// One answer, whose length is given, or that has no body.
  func readAnswer(to method: String = "GET") throws -> Answer {
    var answer = try readHead()
    guard method != "HEAD", answer.code != 204, answer.code >= 200 else { return answer }
    answer.body = try read(byteCount: answer.contentLength)
    return answer
  }

  func readHead() throws -> Answer {
    var searched = 0
    while true {
      if let end = received.end(ofFirst: "\r\n\r\n", from: searched) {
        return Answer(head: String(decoding: try read(byteCount: end), as: UTF8.self))
      }
      searched = max(0, received.count - 3)
      try receiveMore()
    }
  }

  func read(byteCount: Int) throws -> [UInt8] {
    while received.count < byteCount { try receiveMore() }
    defer { received.removeFirst(byteCount) }
    return Array(received[..<byteCount])
  }

  /// Reads bytes and forgets them.
  ///
  /// - Returns: How many there were: fewer than asked for if the connection ended, be it by a
  ///   reset.
  func skip(byteCount: Int) throws -> Int {
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
  func readToEnd() throws -> [UInt8] {
    while true {
      let count = try receive()
      guard count > 0 else { break }
      received += chunk[..<count]
    }
    defer { received = [] }
    return received
  }
}

/// An answer, as a client sees it.
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
  var contentLength: Int { self["Content-Length"].flatMap { Int($0) } ?? 0 }

  subscript(name: String) -> String? {
    fields.first { $0.name.lowercased() == name.lowercased() }?.value
  }
}

extension [UInt8] {
  /// The index behind the first occurrence of a text that begins at `start` or later.
  func end(ofFirst text: String, from start: Int = 0) -> Int? {
    let pattern = Array(text.utf8)
    guard count >= start + pattern.count else { return nil }
    return (start...(count - pattern.count))
      .first { self[$0] == pattern[0] && self[$0..<($0 + pattern.count)].elementsEqual(pattern) }
      .map { $0 + pattern.count }
  }

  func contains(_ text: String) -> Bool { end(ofFirst: text) != nil }
}
