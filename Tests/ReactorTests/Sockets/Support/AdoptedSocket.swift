import Glibc
import Reactor
import SystemPackage
import TestSupport
import XCTest

/// A connection over one end of a `socketpair(2)`, and the other end, which the test drives.
final class AdoptedSocket {
  /// Held by its loop as long as it is open.
  private(set) weak var open: Connection?
  private let loop: () -> EventLoop?
  private(set) var peer: Int32

  /// - Parameter sendBufferByteCount: What the kernel takes, about; nil is its own choice.
  init(
    on loop: EventLoop, _ configuration: Connection.Configuration = .init(),
    sendBufferByteCount: Int32? = nil
  ) throws {
    var ends: [Int32] = [-1, -1]
    guard unsafe socketpair(AF_UNIX, Int32(SOCK_STREAM.rawValue), 0, &ends) == 0 else {
      throw Errno(rawValue: errno)
    }
    if var byteCount = sendBufferByteCount {
      unsafe setsockopt(
        ends[0], SOL_SOCKET, SO_SNDBUF, &byteCount, socklen_t(MemoryLayout<Int32>.size))
    }
    let connection = try Connection(
      adopting: FileDescriptor(rawValue: ends[0]), on: loop, configuration: configuration)
    (open, peer) = (connection, ends[1])
    self.loop = { [weak loop] in loop }
  }

  deinit { closePeer() }

  /// The connection, which is open still.
  var connection: Connection {
    guard let open else { preconditionFailure("the connection is gone") }
    return open
  }

  /// Runs the loop until so many bytes have come out at the other end.
  ///
  /// - Returns: Those that came before the deadline.
  func receive(_ byteCount: Int) -> [UInt8] {
    var received: [UInt8] = []
    while received.count < byteCount {
      let isThere = loop()?.run(until: { self.take(into: &received) }, timeout: testDeadline)
      guard isThere == true else { break }
    }
    return received
  }

  /// Takes what is there.
  ///
  /// - Returns: Whether there was something.
  func take(into bytes: inout [UInt8], atMost byteCount: Int = 64 * 1024) -> Bool {
    var chunk = [UInt8](repeating: 0, count: byteCount)
    let count = unsafe recv(peer, &chunk, chunk.count, Int32(MSG_DONTWAIT))
    if count > 0 { bytes += chunk[..<count] }
    return count > 0
  }

  func closePeer() {
    guard peer != -1 else { return }
    close(peer)
    peer = -1
  }

  /// Aborts the connection, and has that told.
  func end() {
    open?.abort()
    loop()?.schedule(after: .zero) {}
    loop()?.runOnce()
  }
}
