import Dispatch
import Glibc
import PosixAIO
import Synchronization
import TestSupport
import Testing

@testable import ReactorHTTP

/// The objects of a request that the handler of a test keeps, to respond when the test requests it.
private final class Held {
  var writers: [HTTPServer.ResponseWriter] = []
}

/// Counts the callbacks of a writer.
private final class Reports: Sendable {
  let deliveries = Mutex<[HTTPServer.ResponseWriter.Delivery]>([])
  let losses = Mutex(0)

  var deliveryCount: Int { deliveries.withLock(\.count) }
  var lossCount: Int { losses.withLock { $0 } }

  func watch(_ writer: HTTPServer.ResponseWriter) {
    writer.onConnectionLost { self.losses.withLock { $0 += 1 } }
  }

  func write(_ byteCount: Int, to writer: HTTPServer.ResponseWriter) {
    writer.write(IOBuffer(copying: [UInt8](repeating: 65, count: byteCount))) {
      delivery, buffer in
      #expect(buffer.count == byteCount)
      self.deliveries.withLock { $0.append(delivery) }
    }
  }
}

@Suite struct DisconnectTests {
  private let held = OnLoop(Held())
  private let reports = Reports()

  /// Serves with a handler that keeps its writers.
  private func serve() throws -> ServedLoop {
    let (held, reports) = (held, reports)
    return try ServedLoop { _, writer in
      reports.watch(writer)
      held.value.writers.append(writer)
    }
  }

  private func waitForRequests(_ count: Int, _ served: ServedLoop) throws {
    let held = held
    try served.waitUntil("\(count) requests") { _ in held.value.writers.count == count }
  }

  private func expectNothingLeft(_ served: ServedLoop) throws {
    let held = held
    try served.onLoop { _ in held.value.writers = [] }
    try served.waitUntil("the connections are gone") { $0.value?.connectionCount == 0 }
    #expect(try served.onLoop { $0.value?.responsesInProgress } == 0)
    try served.stop()
  }

  @Test(arguments: [true, false])
  func aClientThatLeavesBeforeASmallResponseHarmsNoOtherClient(isReset: Bool) throws {
    let served = try serve()
    for _ in 1...10 {
      var client: Client? = try Client(to: served)
      try client?.send("GET / HTTP/1.1\r\nHost: x\r\n\r\n")
      let held = held
      try waitForRequests(1, served)
      if isReset { client?.vanish() }
      client = nil
      try served.onLoop { _ in held.value.writers.removeAll { $0.send(.ok) == () } }
    }
    try expectNothingLeft(served)
  }

  @Test(arguments: [true, false])
  func aClientThatLeavesBeforeAStreamedResponseIsNoticedByWriting(isReset: Bool) throws {
    let served = try serve()
    var client: Client? = try Client(to: served)
    try client?.send("GET / HTTP/1.1\r\nHost: x\r\n\r\n")
    try waitForRequests(1, served)
    if isReset { client?.vanish() }
    client = nil
    let (held, reports) = (held, reports)
    try served.onLoop { _ in held.value.writers[0].start(.ok, contentLength: nil) }
    var count = 0
    while reports.lossCount == 0 {
      try served.onLoop { _ in reports.write(1000, to: held.value.writers[0]) }
      count += 1
      let writes = count
      try served.waitUntil("the write is reported") { _ in reports.deliveryCount == writes }
    }
    let writes = count
    #expect(try served.onLoop { _ in held.value.writers[0].isConnectionLost })
    // Later calls do nothing, and pieces still complete.
    try served.onLoop { _ in
      let writer = held.value.writers[0]
      reports.write(10, to: writer)
      #expect(reports.deliveryCount == writes)
      writer.end()
      writer.onConnectionLost { reports.losses.withLock { $0 += 100 } }
    }
    try served.waitUntil("the last write is reported") { _ in
      reports.deliveryCount == writes + 1 && reports.lossCount == 101
    }
    #expect(reports.deliveries.withLock { $0.last } == .connectionLost)
    try expectNothingLeft(served)
    #expect(reports.deliveryCount == writes + 1)
    #expect(reports.lossCount == 101)
  }

  @Test(arguments: [true, false])
  func aClientThatGoesInTheMiddleHasEveryPieceReportedOnce(isReset: Bool) throws {
    let served = try serve()
    var client: Client? = try Client(to: served)
    try client?.send("GET / HTTP/1.1\r\nHost: x\r\n\r\n")
    try waitForRequests(1, served)
    let (held, reports) = (held, reports)
    try served.onLoop { _ in
      held.value.writers[0].start(.ok, contentLength: 30_000_000)
      for _ in 1...30 { reports.write(1_000_000, to: held.value.writers[0]) }
      held.value.writers[0].end()
    }
    _ = try client?.read(byteCount: 1_500_000)
    if isReset { client?.vanish() }
    client = nil
    try served.waitUntil("all pieces are reported") { _ in reports.deliveryCount == 30 }
    let deliveries = reports.deliveries.withLock { $0 }
    #expect(deliveries.first == .sent)
    #expect(deliveries.last == .connectionLost)
    // First the pieces that were sent, then those that were not.
    #expect(deliveries.drop { $0 == .sent }.allSatisfy { $0 == .connectionLost })
    try expectNothingLeft(served)
    #expect(reports.deliveryCount == 30)
    #expect(reports.lossCount == 1)
  }

  @Test func aClientThatGoesWithPipelinedRequestsLeavesNothing() throws {
    let served = try serve()
    var client: Client? = try Client(to: served)
    try client?.send(String(repeating: "GET / HTTP/1.1\r\nHost: x\r\n\r\n", count: 100))
    let held = held
    for _ in 1...3 {
      try waitForRequests(1, served)
      try served.onLoop { _ in held.value.writers.removeFirst().send(.ok, body: "x".utf8) }
      #expect(try client?.readResponse().text == "x")
    }
    try waitForRequests(1, served)
    client?.vanish()
    client = nil
    // Requests that were already read may still arrive; their responses go nowhere.
    try served.waitUntil("the connection is gone") { server in
      held.value.writers.removeAll { $0.send(.ok, body: "x".utf8) == () }
      return server.value?.connectionCount == 0
    }
    try expectNothingLeft(served)
  }

  @Test func aClientThatClosedItsSendingSideGetsAllItsResponses() throws {
    let served = try serve()
    let client = try Client(to: served)
    try client.send("GET /1 HTTP/1.1\r\nHost: x\r\n\r\nGET /2 HTTP/1.1\r\nHost: x\r\n\r\n")
    client.finishSending()
    let (held, reports) = (held, reports)
    for _ in 1...2 {
      try waitForRequests(1, served)
      try served.onLoop { _ in
        let writer = held.value.writers.removeFirst()
        writer.start(.ok, contentLength: 8_000_000)
        for _ in 1...8 { reports.write(1_000_000, to: writer) }
        writer.end()
      }
      #expect(try client.readResponse().body.count == 8_000_000)
    }
    #expect(try client.readToEnd() == [])
    #expect(reports.deliveries.withLock { $0 } == Array(repeating: .sent, count: 16))
    #expect(reports.lossCount == 0)
    try expectNothingLeft(served)
  }

  @Test func aClientThatGoesInTheMiddleOfARequestLeavesNothing() throws {
    let served = try serve()
    for request in [
      "", "GE", "GET / HTTP/1.1\r\nHost: x\r\nX",
      "PUT / HTTP/1.1\r\nHost: x\r\nContent-Length: 10\r\n\r\nabc",
      "PUT / HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n10\r\nabc",
      "PUT / HTTP/1.1\r\nHost: x\r\nExpect: 100-continue\r\nContent-Length: 10\r\n\r\n",
    ] {
      for isReset in [true, false] {
        let client = try Client(to: served)
        try client.send(request)
        if isReset { client.vanish() }
      }
    }
    let held = held
    try served.waitUntil("the connections are gone") { server in
      held.value.writers = []
      return server.value?.connectionCount == 0
    }
    try expectNothingLeft(served)
  }

  @Test func whatAClientSendsDuringItsResponseStaysInTheKernel() throws {
    let served = try serve()
    let client = try Client(to: served)
    try client.send("GET / HTTP/1.1\r\nHost: x\r\n\r\n")
    try waitForRequests(1, served)
    let held = held
    try served.onLoop { _ in held.value.writers[0].start(.ok, contentLength: nil) }
    // The server does not read it, so at some point the kernel accepts no more.
    client.limitSending(to: .milliseconds(200))
    let block = [UInt8](repeating: 65, count: 1_000_000)
    var blocks = 0
    while client.trySend(block) {
      blocks += 1
      try #require(blocks < 1000)
    }
    try served.onLoop { _ in held.value.writers[0].end() }
    // The garbage after the request is an unknown method.
    _ = try client.read(through: "0\r\n\r\n")
    #expect(try client.readResponse().code == 501)
    client.vanish()
    try expectNothingLeft(served)
  }

  @Test func aServerReleasedWithResponsesInProgressReportsEveryPiece() throws {
    let served = try serve()
    let clients = try (1...5).map { _ in try Client(to: served) }
    for client in clients { try client.send("GET / HTTP/1.1\r\nHost: x\r\n\r\n") }
    try waitForRequests(5, served)
    let (held, reports) = (held, reports)
    try served.onLoop { server in
      // The first response has not begun; the last one has ended and is unsent.
      for writer in held.value.writers.dropFirst() {
        writer.start(.ok, contentLength: nil)
        reports.write(10_000_000, to: writer)
        reports.write(10_000_000, to: writer)
      }
      held.value.writers[4].end()
      weak let weakServer = server.value
      server.value = nil
      #expect(weakServer == nil)
      #expect(reports.deliveryCount == 0)
    }
    try served.waitUntil("all is reported") { _ in
      reports.deliveryCount == 8 && reports.lossCount == 5
    }
    #expect(reports.deliveries.withLock { $0 } == Array(repeating: .connectionLost, count: 8))
    try served.onLoop { _ in
      reports.write(5, to: held.value.writers[1])
      held.value.writers[0].send(.ok)
      held.value.writers = []
    }
    try served.waitUntil("the late piece is reported") { _ in reports.deliveryCount == 9 }
    for client in clients { _ = try? client.readToEnd() }
    try served.stop()
  }

  @Test func aServerMayBeReleasedByItsOwnHandler() throws {
    let box = OnLoop<HTTPServer?>(nil)
    let served = try ServedLoop { _, writer in
      writer.start(.ok, contentLength: nil)
      writer.write(IOBuffer(copying: "x".utf8)) { delivery, _ in
        #expect(delivery == .sent, "what was written before is sent as far as the socket takes it")
        _ = writer
      }
      box.value = nil
    }
    try served.onLoop { server in
      box.value = server.value
      server.value = nil
    }
    let client = try Client(to: served)
    try client.send("GET / HTTP/1.1\r\nHost: x\r\n\r\n")
    _ = try? client.readToEnd()
    try served.stop()
  }

  @Test func aLoopThatEndsWithPiecesUnreportedReleasesThem() throws {
    let served = try serve()
    let client = try Client(to: served)
    try client.send("GET / HTTP/1.1\r\nHost: x\r\n\r\n")
    try waitForRequests(1, served)
    let (held, reports) = (held, reports)
    try served.onLoop { _ in
      held.value.writers[0].start(.ok, contentLength: nil)
      reports.write(50_000_000, to: held.value.writers[0])
    }
    // The fixture releases server and loop without another turn of the loop.
    try served.stop()
    #expect(reports.deliveryCount <= 1)
    held.value.writers = []
  }
}
