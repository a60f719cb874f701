internal import Glibc
internal import Reactor
internal import SystemPackage

/// Messages to and fro between two connections of one loop, so many and no more: for what is
/// counted instead of timed.
public final class EchoExchange {
  private static let message = [UInt8](repeating: 1, count: 64)

  private let loop: EventLoop
  private let listener: Listener
  private let messageCount: Int
  private let onMessage: (Int) -> Void
  private var echoCount = 0
  private var server: Connection?
  private var isOver = false

  /// Exchanges messages, and returns when all are back.
  ///
  /// - Parameters:
  ///   - messageCount: How many, one after the other.
  ///   - onMessage: Called with the number of each when it is back, from 1.
  public static func run(messageCount: Int, _ onMessage: @escaping (Int) -> Void) throws {
    let exchange = try EchoExchange(messageCount, onMessage)
    exchange.connect()
    exchange.loop.run(until: { exchange.isOver })
    exchange.listener.close()
    exchange.server?.abort()
    exchange.loop.close()
    guard exchange.echoCount == messageCount else { throw Errno.ioError }
  }

  private init(_ messageCount: Int, _ onMessage: @escaping (Int) -> Void) throws {
    self.messageCount = messageCount
    self.onMessage = onMessage
    loop = try EventLoop()
    listener = try Listener(on: loop, .loopback(port: 0))
    listener.onConnection = { [unowned self] connection in
      server = connection
      connection.onReceive = { connection, bytes in
        do throws(Errno) { try connection.write(bytes) } catch { connection.abort() }
        return bytes.byteCount
      }
    }
  }

  private func connect() {
    Connection.connect(to: listener.address, on: loop) { [self] result in
      guard case .success(let client) = result else { return isOver = true }
      client.onReceive = { [unowned self] client, bytes in
        guard bytes.byteCount >= Self.message.count else { return 0 }
        echoCount += 1
        onMessage(echoCount)
        if echoCount == messageCount { client.abort() } else { send(client) }
        return Self.message.count
      }
      client.onClose = { [unowned self] _, _ in isOver = true }
      send(client)
    }
  }

  private func send(_ client: Connection) {
    do throws(Errno) { try client.write(Self.message) } catch { client.abort() }
  }
}
