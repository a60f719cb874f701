internal import CPeers
internal import Glibc
internal import SystemPackage

/// An HTTP client that waits for each response.
public final class BlockingClient {
  private let socket: Int32
  private var memory = [UInt8](repeating: 0, count: 256 * 1024)

  /// Connects to a port of this machine.
  public init(port: UInt16) throws {
    socket = bench_connect(Int32(port))
    guard socket >= 0 else { throw Errno(rawValue: errno) }
  }

  deinit {
    close(socket)
  }

  /// Sends a request and reads its response to the end.
  ///
  /// - Returns: The response's status.
  @discardableResult
  public func ask(_ method: String, _ target: String) throws -> Int {
    let request = Array("\(method) \(target) HTTP/1.1\r\nHost: localhost\r\n\r\n".utf8)
    let sent = unsafe send(socket, request, request.count, Int32(MSG_NOSIGNAL))
    guard sent == request.count else { throw Errno(rawValue: errno) }
    var head: [UInt8] = []
    while true {
      let count = try receive()
      head += memory[..<count]
      guard let response = Self.parse(head) else { continue }
      var missing = response.byteCount - head.count
      while missing > 0 { missing -= try receive() }
      return response.status
    }
  }

  private func receive() throws -> Int {
    let count = unsafe recv(socket, &memory, memory.count, 0)
    guard count > 0 else { throw count == 0 ? Errno.connectionReset : Errno(rawValue: errno) }
    return count
  }

  /// Nil while the head is not whole.
  private static func parse(_ bytes: [UInt8]) -> (status: Int, byteCount: Int)? {
    // The file's bytes behind the head need not be text.
    guard let end = bytes.indices.dropLast(3).first(where: { bytes[$0...].starts(with: headEnd) })
    else { return nil }
    let lines = String(decoding: bytes[..<end], as: UTF8.self).split(separator: "\r\n")
    let length = lines.first { $0.lowercased().hasPrefix("content-length:") }
      .flatMap { Int($0.dropFirst("content-length:".count).drop { $0 == " " }) }
    let status = lines[0].split(separator: " ").dropFirst().first.flatMap { Int($0) }
    return (status ?? 0, end + headEnd.count + (length ?? 0))
  }

  private static let headEnd = Array("\r\n\r\n".utf8)
}
