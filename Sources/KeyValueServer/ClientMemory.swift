/// Bounds the memory of all clients: replies that they have not read, replies that wait for the
/// log, and incomplete requests.
///
/// The sum is updated after each turn of a client, so one turn of each may exceed the limit.
final class ClientMemory {
  private unowned let server: Server
  var limit: Int
  /// Never less than the clients have: what the kernel has taken since is subtracted later.
  private(set) var byteCount = 0

  init(of server: Server, limit: Int) {
    self.server = server
    self.limit = limit
  }

  /// Counts the memory that a client has now; 0 after CLIENT NO-EVICT ON.
  func update(_ client: Client) {
    count(client)
    if byteCount > limit { reclaim() }
  }

  private func count(_ client: Client) {
    let now = client.session.isNeverEvicted ? 0 : client.memoryByteCount
    byteCount += now - client.countedByteCount
    client.countedByteCount = now
  }

  /// Disconnects the clients with the most, down to 15/16 of the limit, so that the next time is
  /// not soon.
  private func reclaim() {
    for client in server.clients.values { count(client) }
    guard byteCount > limit else { return }
    let goal = limit - limit / 16
    let largest = server.clients.values.sorted { $0.countedByteCount > $1.countedByteCount }
    for client in largest {
      guard byteCount > goal, client.countedByteCount > 0 else { return }
      client.disconnect(
        "the memory of all clients exceeds \(limit) bytes, and \(client.countedByteCount) are its")
      count(client)
    }
  }
}
