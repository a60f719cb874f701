internal import Reactor

/// The open connections by address, and their limit.
struct AddressCounts {
  private let limit: Int
  private let limitsLoopback: Bool
  private var counts: [SocketAddress: Int] = [:]

  /// The number of connections that were refused.
  private(set) var refusedCount: UInt64 = 0

  init(_ configuration: HTTPServer.Configuration) {
    limit = configuration.connectionLimitPerAddress
    limitsLoopback = configuration.limitsLoopback
  }

  /// Counts a connection.
  ///
  /// - Returns: Whether the address may have one more. If not, it is not counted.
  mutating func add(_ address: SocketAddress) -> Bool {
    guard let network = limitedNetwork(of: address) else { return true }
    let count = counts[network, default: 0]
    guard count < limit else {
      refusedCount += 1
      return false
    }
    counts[network] = count + 1
    return true
  }

  /// Removes a connection that was counted.
  mutating func remove(_ address: SocketAddress) {
    guard let network = limitedNetwork(of: address), let count = counts[network] else { return }
    counts[network] = count > 1 ? count - 1 : nil
  }

  private func limitedNetwork(of address: SocketAddress) -> SocketAddress? {
    guard limit < .max, limitsLoopback || !address.isLoopback else { return nil }
    return address.clientNetwork
  }
}
