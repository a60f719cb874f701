import TestSupport
import XCTest

final class ConnectionTests: SiteTestCase {
  private static let largeByteCount = 64 * 1024 * 1024

  func test_connectionStaysOpen_betweenResponses() throws {
    let site = try serve("--upload")
    try site.write("here".utf8, to: "file")
    let client = try site.client()
    for _ in 0..<20 {
      XCTAssertEqual(try client.get("/file").text, "here")
      XCTAssertEqual(try client.ask("HEAD", "/file").contentLength, 4)
      XCTAssertEqual(try client.get("/missing").code, 404)
      XCTAssertEqual(try client.ask("DELETE", "/file").code, 405)
      XCTAssertEqual(try client.get("/").code, 200)
    }
    XCTAssertEqual(try client.put("/new", "new".utf8).code, 201)
    XCTAssertEqual(try client.get("/new").text, "new")
  }

  func test_responsesComeInOrder_whenRequestsArePipelined() throws {
    let site = try serve()
    let blocks = (0..<6).map { Pattern.block($0, byteCount: 1 + $0 * 100_000) }
    for (number, block) in blocks.enumerated() { try site.write(block, to: "\(number)") }
    let client = try site.client()
    let requests = blocks.indices.map {
      "GET /\($0) HTTP/1.1\r\nHost: test\r\n\r\nHEAD /\($0) HTTP/1.1\r\nHost: test\r\n\r\n"
    }
    try client.send(requests.joined())
    for block in blocks {
      XCTAssertEqual(try client.readResponse().body, block)
      XCTAssertEqual(try client.readResponse(to: "HEAD").contentLength, block.count)
    }
  }

  func test_connectionIsClosedAfterTheResponse_ofHTTP10() throws {
    let site = try serve()
    try site.write("here".utf8, to: "file")
    let client = try site.client()
    try client.send("GET /file HTTP/1.0\r\n\r\n")
    XCTAssertEqual(try client.readResponse().text, "here")
    XCTAssertEqual(try client.readToEnd(), [])
  }

  func test_eightClientsAreServedAtOnce() throws {
    let site = try serve()
    let blocks = (0..<8).map { Pattern.block($0, byteCount: 700_000 + $0) }
    for (number, block) in blocks.enumerated() { try site.write(block, to: "\(number)") }
    let clients = try blocks.map { _ in try site.client(receiveBufferByteCount: 16 * 1024) }
    for (number, client) in clients.enumerated() { try client.begin("GET", "/\(number)") }
    // All responses have begun before any of them can end.
    for (block, client) in zip(blocks, clients) {
      XCTAssertEqual(try client.readHead().contentLength, block.count)
    }
    var bodies = [[UInt8]](repeating: [], count: blocks.count)
    while bodies.contains(where: { $0.count < 700_000 }) {
      for (number, client) in clients.enumerated() {
        let wanted = min(50_000, blocks[number].count - bodies[number].count)
        bodies[number] += try client.read(byteCount: wanted)
      }
    }
    for (number, client) in clients.enumerated() {
      bodies[number] += try client.read(byteCount: blocks[number].count - bodies[number].count)
      XCTAssertTrue(bodies[number] == blocks[number], "file \(number)")
    }
  }

  func test_othersAreServed_whileAClientStalls() throws {
    let site = try serve()
    try site.setLength(Self.largeByteCount, of: "large")
    try site.write("here".utf8, to: "file")
    let stalled = try site.client(receiveBufferByteCount: 16 * 1024)
    try stalled.begin("GET", "/large")
    _ = try stalled.readHead()
    let client = try site.client()
    for _ in 0..<20 { XCTAssertEqual(try client.get("/file").text, "here") }
    XCTAssertEqual(try stalled.skip(byteCount: Self.largeByteCount), Self.largeByteCount)
  }

  func test_memoryStaysBounded_whenAClientOfALargeFileStalls() throws {
    let site = try serve()
    let length = 2 * 1024 * 1024 * 1024
    try site.setLength(length, of: "large")
    let stalled = try site.client(receiveBufferByteCount: 16 * 1024)
    try stalled.begin("GET", "/large")
    XCTAssertEqual(try stalled.readHead().contentLength, length)
    XCTAssertEqual(try stalled.skip(byteCount: 100_000), 100_000)
    // A server that ignored back-pressure would meanwhile have read about as much for the stalled
    // client as for this one.
    let reading = try site.client()
    try reading.begin("GET", "/large")
    _ = try reading.readHead()
    let readByteCount = 256 * 1024 * 1024
    XCTAssertEqual(try reading.skip(byteCount: readByteCount), readByteCount)
    XCTAssertLessThan(try site.server.peakResidentByteCount(), 64 * 1024 * 1024)
  }

  func test_descriptorsAreGivenBack_whenClientsVanish() throws {
    let site = try serve("--open-files", "0")
    try site.setLength(Self.largeByteCount, of: "large")
    try site.write("here".utf8, to: "file")
    let client = try site.client()
    XCTAssertEqual(try client.get("/file").text, "here")
    let filesInRoot = "\(site.root)/"
    // A file is closed shortly after its last byte was sent.
    try repeatUntil("the first file is closed") {
      try client.get("/missing").code == 404
        && !site.server.descriptors().contains { $0.hasPrefix(filesInRoot) }
    }
    let former = try site.server.descriptors().count
    let clients = try (0..<8).map { _ in try site.client(receiveBufferByteCount: 16 * 1024) }
    for vanishing in clients {
      try vanishing.begin("GET", "/large")
      _ = try vanishing.readHead()
    }
    XCTAssertGreaterThanOrEqual(try site.server.descriptors().count, former + 16)
    for vanishing in clients { vanishing.vanish() }
    try repeatUntil("the descriptors of lost clients are closed") {
      XCTAssertEqual(try client.get("/missing").code, 404)
      return try site.server.descriptors().count <= former
    }
    XCTAssertEqual(try client.get("/file").text, "here")
  }

  func test_descriptorsAreGivenBack_whenAClientVanishesInItsRequest() throws {
    let site = try serve("--upload")
    let client = try site.client()
    XCTAssertEqual(try client.get("/missing").code, 404)
    let former = try site.server.descriptors().count
    let vanishing = try site.client()
    try vanishing.begin("PUT", "/file", headers: ["Content-Length: 100000"])
    try vanishing.send([UInt8](repeating: 1, count: 1000))
    try repeatUntil("the client is accepted") {
      XCTAssertEqual(try client.get("/missing").code, 404)
      return try site.server.descriptors().count > former
    }
    vanishing.vanish()
    try repeatUntil("the client is dropped") {
      XCTAssertEqual(try client.get("/missing").code, 404)
      return try site.server.descriptors().count <= former
    }
    XCTAssertEqual(try site.names(), [])
  }

  func test_oneAddressGetsNoMoreConnectionsThanItsLimit() throws {
    let site = try serve("--max-connections-per-address", "3", "--stats")
    let clients = try (0..<3).map { _ in try site.client() }
    for client in clients { XCTAssertEqual(try client.get("/missing").code, 404) }
    XCTAssertThrowsError(try site.get("/missing"))
    let metrics = try clients[0].get("/metrics").text
    XCTAssertTrue(metrics.contains("aio_fileserver_refused_connections_total{loop=\"0\"} 1\n"))
    clients[1].vanish()
    try repeatUntil("a connection of the address is free") {
      try clients[0].get("/metrics").text.contains("aio_fileserver_connections{loop=\"0\"} 2\n")
    }
    XCTAssertEqual(try site.get("/missing").code, 404)
  }
}
