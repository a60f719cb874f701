import Glibc
import Reactor

/// A listener that accepts no connection and whose queue is full: further clients get no reply.
final class FullBacklog {
  let listener: Listener
  private let clients: [Int32]
  var address: SocketAddress { listener.address }

  init(on loop: EventLoop) throws {
    var configuration = Listener.Configuration()
    configuration.backlog = 1
    listener = try Listener(on: loop, .loopback(port: 0), configuration: configuration)
    // The kernel takes one more than asked. Further ones wait; that does no harm.
    clients = (0..<4).map { [port = listener.address.port] _ in
      var address = sockaddr_in()
      address.sin_family = sa_family_t(AF_INET)
      address.sin_port = port.bigEndian
      address.sin_addr.s_addr = UInt32(0x7F00_0001).bigEndian
      let type = SOCK_STREAM.rawValue | SOCK_NONBLOCK.rawValue
      let client = socket(AF_INET, Int32(type), 0)
      _ = unsafe withUnsafePointer(to: &address) {
        unsafe $0.withMemoryRebound(to: sockaddr.self, capacity: 1) {
          unsafe connect(client, $0, socklen_t(MemoryLayout<sockaddr_in>.size))
        }
      }
      return client
    }
  }

  deinit {
    for client in clients { _ = Glibc.close(client) }
  }
}
