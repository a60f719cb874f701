import TestSupport
import XCTest

/// Clients that take their time, and those that are too many.
final class SlowClientTests: KeyValueTestCase {
  func test_othersAreServed_whileAClientDoesNotRead() throws {
    let site = try serve()
    let slow = try RedisClient(port: site.server.port, receiveBufferByteCount: 4096)
    let value = String(repeating: "v", count: 1_000_000)
    XCTAssertEqual(try slow.ask("SET", "big", value), .ok)
    for _ in 0..<200 { try slow.send("GET", "big") }
    let other = try site.client()
    for index in 0..<200 { XCTAssertEqual(try other.ask("SET", "k", "\(index)"), .ok) }
    for _ in 0..<200 { XCTAssertEqual(try slow.readReply().bytes?.count, 1_000_000) }
  }

  func test_clientGetsItsReplies_whenItWritesALargeValueBeforeItReadsOne() throws {
    let client = try serve().client()
    let value = [UInt8](repeating: 7, count: 4_000_000)
    try client.client.send(RedisClient.request([Array("SET".utf8), Array("a".utf8), value]))
    XCTAssertEqual(try client.readReply(), .ok)
    try client.client.send(
      RedisClient.request(["GET", "a"])
        + RedisClient.request([Array("SET".utf8), Array("b".utf8), value])
        + RedisClient.request(["STRLEN", "b"]))
    XCTAssertEqual(try client.readReply().bytes, value)
    XCTAssertEqual(try client.readReply(), .ok)
    XCTAssertEqual(try client.readReply(), 4_000_000)
  }

  func test_clientGetsItsReplies_whenItWrites300000RequestsBeforeItReads() throws {
    let client = try serve().client()
    let value = String(repeating: "v", count: 100)
    XCTAssertEqual(try client.ask("SET", "a", value), .ok)
    let request = RedisClient.request(["GET", "a"])
    try client.client.send(Array(repeatElement(request, count: 300_000).joined()))
    let byteCount = 300_000 * (value.utf8.count + "$100\r\n\r\n".utf8.count)
    XCTAssertEqual(try client.client.skip(byteCount: byteCount), byteCount)
    XCTAssertEqual(try client.ask("PING"), .status("PONG"))
  }

  func test_clientOverTheOutputLimitIsDisconnected_andOthersAreServed() throws {
    let site = try serve("--max-client-output", "16777216")
    let other = try site.client()
    let slow = try client(of: site, withValueByteCount: 8_000_000)
    for _ in 0..<10 { try slow.send("GET", "big") }
    try repeatUntil("the client was disconnected") {
      XCTAssertEqual(try other.ask("SET", "a", "1"), .ok)
      return try site.errors().contains(
        "it does not read its replies, of which at most 16777216 bytes are held")
    }
    XCTAssertLessThan(try slow.client.skip(byteCount: 80_000_000), 80_000_000)
    XCTAssertLessThan(try site.server.peakResidentByteCount(), 150 * 1024 * 1024)
  }

  func test_largestClientsAreDisconnected_whenAllClientsHoldTooMuch() throws {
    let site = try serve("--max-clients-memory", "33554432")
    let other = try site.client()
    let slow = try (0..<4).map { _ in try client(of: site, withValueByteCount: 10_000_000) }
    for client in slow { try client.send("GET", "big") }
    try repeatUntil("a client was disconnected") {
      XCTAssertEqual(try other.ask("SET", "a", "1"), .ok)
      return try site.errors().contains("the memory of all clients exceeds 33554432 bytes")
    }
    let reply = "$10000000\r\n".utf8.count + 10_000_002
    let whole = try slow.count { try $0.client.skip(byteCount: reply) == reply }
    XCTAssertEqual(whole, 3)
  }

  func test_noEvictClientsStay_andDoNotCount() throws {
    let site = try serve("--max-clients-memory", "33554432")
    let slow = try (0..<2).map { _ in try client(of: site, withValueByteCount: 10_000_000) }
    XCTAssertEqual(try slow[0].ask("CLIENT", "NO-EVICT", "ON"), .ok)
    for _ in 0..<5 { try slow[0].send("GET", "big") }
    try slow[1].send("GET", "big")
    let reply = "$10000000\r\n".utf8.count + 10_000_002
    XCTAssertEqual(try slow[1].client.skip(byteCount: reply), reply)
    XCTAssertEqual(try slow[0].client.skip(byteCount: 5 * reply), 5 * reply)
    XCTAssertFalse(try site.errors().contains("closed client"))
  }

  func test_incompleteRequestsCount_too() throws {
    let site = try serve("--max-clients-memory", "8388608")
    let client = try site.client()
    try client.client.send("*2\r\n$4\r\nECHO\r\n$60000000\r\n")
    _ = client.client.trySend([UInt8](repeating: 1, count: 60_000_000))
    XCTAssertTrue(try site.errors().contains("the memory of all clients exceeds 8388608 bytes"))
    XCTAssertEqual(try site.client().ask("PING"), .status("PONG"))
  }

  /// A client that reads slowly, after it has set the key "big".
  private func client(
    of site: KeyValueSite, withValueByteCount byteCount: Int
  ) throws -> RedisClient {
    let client = try RedisClient(port: site.server.port, receiveBufferByteCount: 4096)
    XCTAssertEqual(
      try client.ask("SET", "big", String(repeating: "v", count: byteCount)), .ok)
    return client
  }

  func test_clientOverTheLimitIsTold() throws {
    let site = try serve("--max-clients", "2")
    let clients = try (0..<2).map { _ in try site.client() }
    for client in clients { XCTAssertEqual(try client.ask("PING"), .status("PONG")) }
    let third = try site.client()
    XCTAssertEqual(try third.readReply(), .error("ERR max number of clients reached"))
    XCTAssertEqual(try third.client.readToEnd(), [])
  }

  func test_repliesComeWhole_whenTheClientHasEndedItsSide() throws {
    let client = try serve().client()
    try client.client.send("SET a 1\r\nGET a\r\nQUIT\r\nGET a\r\n")
    XCTAssertEqual(
      String(decoding: try client.client.readToEnd(), as: UTF8.self), "+OK\r\n$1\r\n1\r\n+OK\r\n")
  }
}
