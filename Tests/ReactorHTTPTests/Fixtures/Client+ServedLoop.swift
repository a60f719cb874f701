import Reactor
import TestSupport

extension Client {
  /// - Parameter receiveBufferByteCount: A small buffer makes the server notice sooner that this
  ///   client does not read.
  convenience init(to served: ServedLoop, receiveBufferByteCount: Int32? = nil) throws {
    try self.init(
      host: served.address.host, port: served.address.port,
      receiveBufferByteCount: receiveBufferByteCount)
  }

  /// Connects and sends on the loop's thread, so the server's timeouts start when the bytes have
  /// arrived, however slowly the test's thread runs.
  static func connected(
    to served: ServedLoop, sending text: String, receiveBufferByteCount: Int32? = nil
  ) throws -> Client {
    let outcome = OnLoop<Result<Client, any Error>>(.failure(TimedOut("nothing was sent")))
    try served.onLoop { _ in
      outcome.value = Result {
        let client = try Client(to: served, receiveBufferByteCount: receiveBufferByteCount)
        try client.send(text)
        return client
      }
    }
    return try outcome.value.get()
  }
}

/// A request without a body.
let plainRequest = "GET / HTTP/1.1\r\nHost: x\r\n\r\n"
