import Glibc
import PosixAIO
import Reactor
import SystemPackage
import TestSupport

/// Sockets, and the other sides of them, which are none of the loop's.
extension Site {
  /// A connection of a `socketpair(2)`, and the descriptor of its peer.
  func pair(
    _ configuration: Connection.Configuration = .init()
  ) throws -> (connection: Connection, peer: Int32) {
    var ends: [Int32] = [-1, -1]
    let type = Int32(SOCK_STREAM.rawValue | SOCK_CLOEXEC.rawValue)
    guard unsafe socketpair(AF_UNIX, type, 0, &ends) == 0 else { throw Errno(rawValue: errno) }
    let peer = try hold(ends[1])
    let connection = try Connection(
      adopting: FileDescriptor(rawValue: ends[0]), on: try liveLoop(),
      configuration: configuration)
    return (keep(connection), peer)
  }

  /// Its peer says nothing and takes nothing.
  func quietConnection() throws -> Connection { try pair().connection }

  /// Its peer has sent the new content and ended its side.
  func talkedToConnection() throws -> Connection {
    let (connection, peer) = try pair()
    guard unsafe send(peer, Self.new, Self.new.count, Int32(MSG_NOSIGNAL)) == Self.new.count else {
      throw Errno(rawValue: errno)
    }
    shutdown(peer, Int32(SHUT_WR))
    return connection
  }

  /// Its peer has ended its side.
  func endedConnection() throws -> Connection {
    let (connection, peer) = try pair()
    shutdown(peer, Int32(SHUT_WR))
    return connection
  }

  /// More was written to it than its peer will take.
  func congestedConnection() throws -> Connection {
    var configuration = Connection.Configuration()
    configuration.outputHighWaterByteCount = 64 * 1024
    configuration.outputLowWaterByteCount = 0
    let connection = try pair(configuration).connection
    try connection.write([UInt8](repeating: 1, count: 512 * 1024))
    return connection
  }

  /// A file and a connection.
  struct FileAndConnection {
    let file: File
    let connection: Connection
  }

  func fileAndQuietConnection() throws -> FileAndConnection {
    FileAndConnection(file: try file(), connection: try quietConnection())
  }

  /// The file has left the page cache.
  func coldFileAndQuietConnection() throws -> FileAndConnection {
    let pair = try fileAndQuietConnection()
    let plain = try hold(unsafe open(path("file").string, O_RDWR | O_CLOEXEC))
    guard fsync(plain) == 0 else { throw Errno(rawValue: errno) }
    posix_fadvise(plain, 0, 0, POSIX_FADV_DONTNEED)
    return pair
  }

  func fileAndCongestedConnection() throws -> FileAndConnection {
    FileAndConnection(file: try file(), connection: try congestedConnection())
  }

  func fileAndTalkedToConnection() throws -> FileAndConnection {
    FileAndConnection(file: try file(), connection: try talkedToConnection())
  }

  /// A loop, and an address to connect to from it.
  struct Target {
    let loop: EventLoop
    let address: SocketAddress
  }

  /// An address with a listener.
  func openTarget() throws -> Target {
    Target(loop: try liveLoop(), address: .loopback(port: try listen(backlog: 8).port))
  }

  /// An address without replies: the listener's queue is full.
  func silentTarget() throws -> Target {
    let port = try listen(backlog: 0).port
    for _ in 0..<3 { try connect(to: port) }
    return Target(loop: try liveLoop(), address: .loopback(port: port))
  }

  func quietListener() throws -> Listener {
    let listener = keep(try Listener(on: try liveLoop(), .loopback(port: 0)))
    return listener
  }

  /// A listener with a waiting client.
  func calledListener() throws -> Listener {
    let listener = try quietListener()
    try connect(to: listener.address.port)
    return listener
  }

  // MARK: Plain sockets

  private func listen(backlog: Int32) throws -> (socket: Int32, port: UInt16) {
    let type = Int32(SOCK_STREAM.rawValue | SOCK_CLOEXEC.rawValue)
    let listener = try hold(socket(AF_INET, type, 0))
    var address = loopback(port: 0)
    var length = socklen_t(MemoryLayout<sockaddr_in>.size)
    let status = unsafe withUnsafeMutablePointer(to: &address) {
      // Any socket address may be seen as sockaddr; that is how the socket calls are defined.
      unsafe $0.withMemoryRebound(to: sockaddr.self, capacity: 1) { plain -> Int32 in
        guard unsafe bind(listener, plain, length) == 0, Glibc.listen(listener, backlog) == 0
        else { return -1 }
        return unsafe getsockname(listener, plain, &length)
      }
    }
    guard status == 0 else { throw Errno(rawValue: errno) }
    return (listener, UInt16(bigEndian: address.sin_port))
  }

  /// Does not wait for a reply.
  private func connect(to port: UInt16) throws {
    let type = SOCK_STREAM.rawValue | SOCK_NONBLOCK.rawValue | SOCK_CLOEXEC.rawValue
    let client = try hold(socket(AF_INET, Int32(type), 0))
    var address = loopback(port: port)
    _ = unsafe withUnsafePointer(to: &address) {
      unsafe $0.withMemoryRebound(to: sockaddr.self, capacity: 1) {
        unsafe Glibc.connect(client, $0, socklen_t(MemoryLayout<sockaddr_in>.size))
      }
    }
  }

  private func loopback(port: UInt16) -> sockaddr_in {
    var address = sockaddr_in()
    address.sin_family = sa_family_t(AF_INET)
    address.sin_port = port.bigEndian
    address.sin_addr.s_addr = UInt32(0x7F00_0001).bigEndian
    return address
  }
}
