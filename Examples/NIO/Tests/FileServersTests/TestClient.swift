import Glibc
import XCTest

/// A blocking client of HTTP/1.1, one connection.
final class TestClient {
  struct Response {
    let status: Int
    let fields: [String: String]
    let body: [UInt8]
  }

  struct Failure: Error {}

  private let socket: Int32
  private var received: [UInt8] = []

  init(port: Int) throws {
    socket = Glibc.socket(AF_INET, Int32(SOCK_STREAM.rawValue | SOCK_CLOEXEC.rawValue), 0)
    var time = timeval(tv_sec: 60, tv_usec: 0)
    setsockopt(socket, SOL_SOCKET, SO_RCVTIMEO, &time, socklen_t(MemoryLayout<timeval>.size))
    var name = sockaddr_in()
    name.sin_family = sa_family_t(AF_INET)
    name.sin_port = UInt16(port).bigEndian
    name.sin_addr.s_addr = UInt32(0x7F00_0001).bigEndian
    let status = withUnsafePointer(to: &name) {
      $0.withMemoryRebound(to: sockaddr.self, capacity: 1) {
        connect(socket, $0, socklen_t(MemoryLayout<sockaddr_in>.size))
      }
    }
    guard status == 0 else { throw Failure() }
  }

  deinit { close(socket) }

  func send(_ method: String, _ target: String, _ fields: [String: String] = [:]) {
    let lines = ["\(method) \(target) HTTP/1.1", "host: test"] + fields.map { "\($0): \($1)" }
    let text = Array((lines.joined(separator: "\r\n") + "\r\n\r\n").utf8)
    XCTAssertEqual(Glibc.send(socket, text, text.count, Int32(MSG_NOSIGNAL)), text.count)
  }

  func request(
    _ method: String, _ target: String, _ fields: [String: String] = [:]
  ) throws -> Response {
    send(method, target, fields)
    let end = Array("\r\n\r\n".utf8)
    var head: [UInt8]?
    while head == nil {
      if let place = received.firstRange(of: end) {
        head = Array(received[..<place.lowerBound])
        received.removeFirst(place.upperBound)
      } else {
        try receive()
      }
    }
    let lines = String(decoding: head ?? [], as: UTF8.self).components("\r\n")
    var found: [String: String] = [:]
    for line in lines.dropFirst() {
      let parts = line.components(": ")
      found[parts[0].lowercased()] = parts.dropFirst().joined(separator: ": ")
    }
    let count = method == "HEAD" ? 0 : Int(found["content-length"] ?? "") ?? 0
    while received.count < count { try receive() }
    let body = Array(received.prefix(count))
    received.removeFirst(count)
    return Response(
      status: Int(lines[0].components(" ")[1]) ?? 0, fields: found, body: body)
  }

  func receive() throws {
    var bytes = [UInt8](repeating: 0, count: 64 * 1024)
    var count = recv(socket, &bytes, bytes.count, 0)
    while count < 0 && errno == EINTR { count = recv(socket, &bytes, bytes.count, 0) }
    guard count > 0 else { throw Failure() }
    received += bytes.prefix(count)
  }
}

extension String {
  fileprivate func components(_ separator: String) -> [String] {
    split(separator: separator, omittingEmptySubsequences: false).map(String.init)
  }
}
