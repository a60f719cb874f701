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
    // Its requests wait, so its replies take no memory.
    XCTAssertLessThan(try site.server.peakResidentByteCount(), 150 * 1024 * 1024)
    for _ in 0..<200 { XCTAssertEqual(try slow.readReply().bytes?.count, 1_000_000) }
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
