import Glibc
import PosixAIO
import Synchronization
import Reactor
import TestSupport
import Testing

@testable import ReactorHTTP

/// The responses to clients that send too much, too slowly, or invalid bytes. The handler is never
/// called.
@Suite struct LimitTests {
  private static func strict() throws -> ServedLoop {
    var configuration = HTTPServer.Configuration()
    configuration.headByteLimit = 4096
    configuration.bodyByteLimit = 100_000
    return try ServedLoop(configuration) { request, writer in
      if request.path == "/good" {
        request.body.readAll(upTo: 1_000_000) { result in
          switch result {
          case .success(let bytes): writer.send(.ok, body: "\(bytes.count)".utf8)
          case .failure(let failure): writer.send(failure.status)
          }
        }
      } else {
        Issue.record("the handler got \(request.method) \(request.target)")
        writer.send(.ok)
      }
    }
  }

  @Test(arguments: [
    "GET /\r\n\r\n", "nonsense\r\n\r\n", "GET  HTTP/1.1\r\nHost: x\r\n\r\n",
    "\u{0}\u{1}\u{2}\u{3}\u{4}\u{5}\u{6}\u{7}0123456789\r\n\r\n",
    "GET / HTTP/1.1\r\nHost: x\r\nNoColon\r\n\r\n",
    "GET / HTTP/1.1\r\nHost: x\r\n folded: 1\r\n\r\n", "GET / HTTP/x.y\r\n\r\n",
    "PUT / HTTP/1.1\r\nHost: x\r\nContent-Length: -1\r\n\r\n",
    "PUT / HTTP/1.1\r\nHost: x\r\nContent-Length: x\r\n\r\n",
    "PUT / HTTP/1.1\r\nHost: x\r\nContent-Length: 99999999999999999999999\r\n\r\n",
    "PUT / HTTP/1.1\r\nHost: x\r\nContent-Length: +5\r\n\r\nHello",
    "PUT / HTTP/1.1\r\nHost: x\r\nContent-Length: 5\r\nContent-Length: 6\r\n\r\nHello",
    "PUT / HTTP/1.1\r\nHost: x\r\nContent-Length: 0\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
    "GET / HTTP/1.1\r\nHost: x\r\nName with space : 1\r\n\r\n",
  ])
  func nonsenseGets400AndTheConnectionClosed(request: String) throws {
    let served = try Self.strict()
    let client = try Client(to: served)
    try client.send(request)
    let response = try client.readResponse()
    #expect([400, 413].contains(response.code), "\(response.statusLine)")
    #expect(response["Connection"] == "close")
    #expect(try client.readToEnd() == [])
    try served.stop()
  }

  @Test func anUnknownTransferEncodingGets501AndTheConnectionClosed() throws {
    let served = try Self.strict()
    let client = try Client(to: served)
    try client.send("PUT / HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: gzip, chunked\r\n\r\n")
    try client.send("0\r\n\r\n")
    #expect(try client.readResponse().code == 501)
    #expect(try client.readToEnd() == [])
    try served.stop()
  }

  @Test(arguments: ["HTTP/2.0", "HTTP/1.9", "HTTP/0.9", "HTTP/11.1"])
  func anotherVersionGets505(version: String) throws {
    let served = try Self.strict()
    let client = try Client(to: served)
    try client.send("GET / \(version)\r\nHost: x\r\n\r\n")
    #expect(try client.readResponse().code == 505)
    #expect(try client.readToEnd() == [])
    try served.stop()
  }

  @Test(arguments: LongHeader.allCases)
  func aHeadOverTheLimitIsRefused(header: LongHeader) throws {
    let served = try Self.strict()
    let client = try Client(to: served)
    try client.send(header.request)
    let response = try client.readResponse()
    #expect(response.code == header.code)
    #expect(try client.readToEnd() == [])
    try served.stop()
  }

  @Test func aBodyOfTheLimitIsTakenAndOneByteMoreIsNot() throws {
    let served = try Self.strict()
    let client = try Client(to: served)
    try client.send("PUT /good HTTP/1.1\r\nHost: x\r\nContent-Length: 100000\r\n\r\n")
    try client.send(pattern(100_000))
    #expect(try client.readResponse().text == "100000")
    try client.send("PUT / HTTP/1.1\r\nHost: x\r\nContent-Length: 100001\r\n\r\n")
    // The client has not sent any of it yet.
    #expect(try client.readResponse().code == 413)
    try served.stop()
  }

  @Test func aClientThatSendsTooLargeABodyFirstStillReadsThe413() throws {
    let served = try Self.strict()
    for _ in 1...20 {
      let client = try Client(to: served)
      try client.send("PUT / HTTP/1.1\r\nHost: x\r\nContent-Length: 10000000\r\n\r\n")
      #expect(client.trySend([UInt8](repeating: 65, count: 10_000_000)))
      #expect(try client.readResponse().code == 413)
      #expect(try client.readToEnd() == [])
    }
    try served.stop()
  }

  @Test func aChunkedBodyOverTheLimitGets413() throws {
    let served = try Self.strict()
    let chunk = "1000\r\n\(String(repeating: "a", count: 4096))\r\n"
    for _ in 1...20 {
      let client = try Client(to: served)
      try client.send("PUT /good HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n")
      for _ in 1...1000 { #expect(client.trySend(chunk)) }
      try client.send("0\r\n\r\n")
      #expect(try client.readResponse().code == 413)
    }
    let client = try Client(to: served)
    try client.send("PUT /good HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n")
    try client.send("fffffffffffffff\r\n")
    #expect(try client.readResponse().code == 413)
    try served.stop()
  }

  @Test func aClientThatExpects100WithTooLargeABodyGets413AtOnce() throws {
    let served = try Self.strict()
    let client = try Client(to: served)
    try client.send("PUT / HTTP/1.1\r\nHost: x\r\nExpect: 100-continue\r\n")
    try client.send("Content-Length: 100001\r\n\r\n")
    #expect(try client.readResponse().code == 413)
    #expect(try client.readToEnd() == [])
    // The size of a chunked body is not known in advance.
    let other = try Client(to: served)
    try other.send("PUT /good HTTP/1.1\r\nHost: x\r\nExpect: 100-continue\r\n")
    try other.send("Transfer-Encoding: chunked\r\n\r\n")
    #expect(try other.read(through: "\r\n\r\n") == "HTTP/1.1 100 Continue\r\n\r\n")
    try other.send("186a1\r\n")
    #expect(try other.readResponse().code == 413)
    try served.stop()
  }

  @Test func aLineThatNeverEndsDoesNotFillTheMemory() throws {
    let served = try Self.strict()
    let client = try Client(to: served)
    try client.send("PUT /good HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n")
    // The size of a chunk on an endless line, which is not a chunk.
    let zeros = [UInt8](repeating: UInt8(ascii: "0"), count: 100_000)
    for _ in 0..<10 { #expect(client.trySend(zeros)) }
    #expect(try client.readResponse().code == 400)
    #expect(try client.readToEnd() == [])
    client.vanish()
    try served.waitUntil("the connection is gone") { $0.value?.connectionCount == 0 }
    try served.stop()
  }

  @Test func aClientThatStallsIsCutWhereverItDoes() throws {
    var configuration = HTTPServer.Configuration()
    configuration.inactivityTimeout = .seconds(1)
    let served = try ServedLoop(configuration) { _, writer in writer.send(.noContent) }
    let put = "PUT / HTTP/1.1\r\nHost: x\r\n"
    let clients = try [
      ("", nil), ("GET / HT", 408), ("GET / HTTP/1.1\r\nHost: x\r\nX: ", 408),
      ("\(put)Content-Length: 5\r\n\r\nHell", 204),
      ("\(put)Transfer-Encoding: chunked\r\n\r\n1", 204),
    ].map { request, code in
      (try Client.connected(to: served, sending: request), code)
    }
    let idle = try Client.connected(to: served, sending: plainRequest)
    #expect(try idle.readResponse().code == 204)
    for (client, code) in clients + [(idle, nil)] {
      if let code { #expect(try client.readResponse().code == code) }
      #expect(try client.readToEnd() == [])
      client.vanish()
    }
    try served.waitUntil("all are gone") { $0.value?.connectionCount == 0 }
    try served.stop()
  }

  @Test func aClientThatStopsToReadIsCut() throws {
    var configuration = HTTPServer.Configuration()
    configuration.inactivityTimeout = .milliseconds(100)
    let outcomes = Mutex<[HTTPServer.ResponseWriter.Delivery]>([])
    let losses = Mutex(0)
    let served = try ServedLoop(configuration) { _, writer in
      writer.onConnectionLost { losses.withLock { $0 += 1 } }
      writer.start(.ok, contentLength: 100_000_000)
      writer.write(IOBuffer(copying: [UInt8](repeating: 0, count: 100_000_000))) { outcome, _ in
        outcomes.withLock { $0.append(outcome) }
        _ = writer
      }
    }
    let client = try Client.connected(
      to: served, sending: plainRequest, receiveBufferByteCount: 4096)
    try served.waitUntil("the connection is cut") { _ in losses.withLock { $0 } == 1 }
    #expect(outcomes.withLock { $0 } == [.connectionLost])
    try served.waitUntil("the connection is gone") { $0.value?.connectionCount == 0 }
    withExtendedLifetime(client) {}
    try served.stop()
  }

  @Test func aResponseThatTakesLongerThanTheTimeOutIsNotCut() throws {
    var configuration = HTTPServer.Configuration()
    configuration.inactivityTimeout = .milliseconds(200)
    let writerBox = OnLoop<HTTPServer.ResponseWriter?>(nil)
    let served = try ServedLoop(configuration) { request, writer in
      writer.start(.ok, contentLength: nil)
      writerBox.value = writer
    }
    let client = try Client.connected(to: served, sending: plainRequest)
    _ = try client.read(through: "\r\n\r\n")
    // The client is silent for longer than the timeout, as downloading clients are.
    for _ in 1...6 {
      // The test is about the passage of time: there is no event to await.
      usleep(100_000)
      try served.onLoop { _ in
        writerBox.value?.write(IOBuffer(copying: "x".utf8)) { _, _ in }
      }
      #expect(try client.read(through: "x\r\n") == "1\r\nx\r\n")
    }
    try served.onLoop { _ in
      writerBox.value?.end()
      writerBox.value = nil
    }
    #expect(try client.read(through: "\r\n\r\n") == "0\r\n\r\n")
    try served.stop()
  }

  @Test func connectionsOverTheMaximumWaitForOthersToClose() throws {
    var configuration = HTTPServer.Configuration()
    configuration.connectionLimit = 2
    let served = try ServedLoop(configuration) { _, writer in writer.send(.noContent) }
    let first = try Client(to: served)
    var second: Client? = try Client(to: served)
    for client in [first, second] {
      try client?.send("GET / HTTP/1.1\r\nHost: x\r\n\r\n")
      #expect(try client?.readResponse().code == 204)
    }
    let third = try Client(to: served)
    try third.send("GET / HTTP/1.1\r\nHost: x\r\n\r\n")
    // The first request is served while the third one waits.
    try first.send("GET / HTTP/1.1\r\nHost: x\r\n\r\n")
    #expect(try first.readResponse().code == 204)
    #expect(try served.onLoop { $0.value?.connectionCount } == 2)
    #expect(!third.hasReceivedSomething)
    second = nil
    #expect(try third.readResponse().code == 204)
    #expect(try served.onLoop { $0.value?.connectionCount } == 2)
    try served.stop()
  }

  @Test func anAddressGetsNoMoreConnectionsThanItsLimit() throws {
    var configuration = HTTPServer.Configuration()
    configuration.connectionLimitPerAddress = 2
    let served = try ServedLoop(configuration) { _, writer in writer.send(.noContent) }
    let clients = try (0..<2).map { _ in try Client(port: served.address.port) }
    for client in clients { #expect(try client.get("/").code == 204) }
    #expect(throws: (any Error).self) { try Client(port: served.address.port).get("/") }
    clients[0].vanish()
    try repeatUntil("the address has room") {
      try served.onLoop { $0.value?.connectionCount } == 1
    }
    #expect(try Client(port: served.address.port).get("/").code == 204)
    #expect(try served.onLoop { $0.value?.refusedConnectionCount } == 1)
    try served.stop()
  }

  @Test func loopbackHasNoLimitWhereOnlyOthersAreLimited() throws {
    var configuration = HTTPServer.Configuration()
    configuration.connectionLimitPerAddress = 1
    configuration.limitsLoopback = false
    var counts = AddressCounts(configuration)
    for (text, isAllowed) in [
      ("127.0.0.1:1", true), ("127.0.0.1:2", true), ("127.9.9.9:3", true), ("[::1]:4", true),
      ("[::1]:5", true), ("unix:/run/x", true), ("unix:/run/x", true), ("192.0.2.1:1", true),
      ("192.0.2.1:2", false), ("192.0.2.2:2", true), ("[2001:db8::1]:1", true),
      ("[2001:db8::2]:1", false), ("[2001:db8:0:1::1]:1", true),
    ] {
      #expect(counts.add(try #require(SocketAddress(text))) == isAllowed, "\(text)")
    }
    #expect(counts.refusedCount == 2)
    counts.remove(try #require(SocketAddress("[2001:db8::1]:1")))
    #expect(counts.add(try #require(SocketAddress("[2001:db8::3]:1"))))
  }
}

/// The part of a header that exceeds the limit. Its bytes stay out of the logs, which show
/// arguments.
enum LongHeader: CaseIterable {
  case target, field, manyFields, line

  var code: Int {
    switch self {
    case .target: 414
    case .field, .manyFields: 431
    // No known method is that long.
    case .line: 501
    }
  }

  var request: String {
    switch self {
    case .target: "GET /\(String(repeating: "a", count: 5000)) HTTP/1.1\r\nHost: x\r\n\r\n"
    case .field: "GET / HTTP/1.1\r\nHost: x\r\nX: \(String(repeating: "a", count: 5000))\r\n\r\n"
    case .manyFields:
      "GET / HTTP/1.1\r\nHost: x\r\n\(String(repeating: "X: a\r\n", count: 2000))\r\n"
    case .line: String(repeating: "a", count: 100_000)
    }
  }
}
