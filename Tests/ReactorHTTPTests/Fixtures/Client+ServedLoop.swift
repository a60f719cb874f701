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
}
