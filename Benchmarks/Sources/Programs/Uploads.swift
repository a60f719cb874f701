internal import CPeers
internal import Glibc
internal import SystemPackage

/// Uploads that one thread sends at the same time, each on a connection of its own, as fast as the
/// server takes them.
final class Uploads {
  private struct Upload {
    let socket: Int32
    var head: [UInt8]
    var remaining: Int
    var response: [UInt8] = []
    var isOver = false

    var isSent: Bool { head.isEmpty && remaining == 0 }
  }

  private static let pieceByteCount = 64 * 1024
  private static let responseByteCount = 4096

  private var uploads: [Upload] = []
  private let piece = (0..<pieceByteCount).map { UInt8(truncatingIfNeeded: $0 &* 31) }

  init(_ names: [String], byteCount: Int, port: UInt16) throws {
    for name in names {
      let socket = bench_connect(Int32(port))
      guard socket >= 0, fcntl(socket, F_SETFL, O_NONBLOCK) == 0 else {
        throw Errno(rawValue: errno)
      }
      let head =
        "PUT /\(name) HTTP/1.1\r\nHost: localhost\r\nContent-Length: \(byteCount)\r\n\r\n"
      uploads.append(Upload(socket: socket, head: Array(head.utf8), remaining: byteCount))
    }
  }

  deinit {
    for upload in uploads { close(upload.socket) }
  }

  /// Sends all of them, and waits for the responses.
  ///
  /// - Returns: How many were not taken.
  func run() throws -> Int {
    var entries = uploads.map { pollfd(fd: $0.socket, events: Int16(POLLIN | POLLOUT), revents: 0) }
    while uploads.contains(where: { !$0.isOver }) {
      guard unsafe poll(&entries, UInt(entries.count), -1) > 0 else {
        throw Errno(rawValue: errno)
      }
      for index in entries.indices where entries[index].revents != 0 {
        if Int32(entries[index].revents) & POLLOUT != 0 { try send(index) }
        if Int32(entries[index].revents) & ~POLLOUT != 0 { try receive(index) }
        entries[index].events = Int16(uploads[index].isSent ? POLLIN : POLLIN | POLLOUT)
        // What is negative is passed over.
        if uploads[index].isOver { entries[index].fd = -1 }
      }
    }
    return uploads.count { !$0.response.starts(with: "HTTP/1.1 20".utf8) }
  }

  private func send(_ index: Int) throws {
    let socket = uploads[index].socket
    if !uploads[index].head.isEmpty {
      let head = uploads[index].head
      let count = unsafe Glibc.send(socket, head, head.count, Int32(MSG_NOSIGNAL))
      guard count >= 0 else { return try check() }
      uploads[index].head.removeFirst(count)
    } else if uploads[index].remaining > 0 {
      let wanted = min(uploads[index].remaining, piece.count)
      let count = unsafe Glibc.send(socket, piece, wanted, Int32(MSG_NOSIGNAL))
      guard count >= 0 else { return try check() }
      uploads[index].remaining -= count
    }
  }

  private func receive(_ index: Int) throws {
    var bytes = [UInt8](repeating: 0, count: Self.responseByteCount)
    let count = unsafe recv(uploads[index].socket, &bytes, bytes.count, 0)
    guard count >= 0 else { return try check() }
    uploads[index].response += bytes[..<count]
    uploads[index].isOver = count == 0 || uploads[index].response.hasHead
  }

  private func check() throws {
    guard errno == EAGAIN else { throw Errno(rawValue: errno) }
  }
}

extension [UInt8] {
  fileprivate var hasHead: Bool {
    let end = Array("\r\n\r\n".utf8)
    return indices.dropLast(3).contains { self[$0...].starts(with: end) }
  }
}
