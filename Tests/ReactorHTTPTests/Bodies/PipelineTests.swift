import PosixAIO
import Reactor
import TestSupport
import Testing

@testable import ReactorHTTP

/// Requests that a client sends after a body that is not read, or not to its end. Each one is
/// served, or the connection is closed, and no byte of a body is ever taken for a request.
@Suite struct PipelineTests {
  private static let hidden = Array("GET /hidden HTTP/1.1\r\nHost: x\r\n\r\n".utf8)

  /// A body of that size, full of requests.
  private static func body(_ byteCount: Int) -> [UInt8] {
    var bytes: [UInt8] = []
    while bytes.count < byteCount { bytes += hidden }
    return Array(bytes[..<byteCount])
  }

  private static func request(_ target: String, _ body: [UInt8], chunkByteCount: Int?) -> [UInt8] {
    let head = "PUT \(target) HTTP/1.1\r\nHost: x\r\n"
    guard let chunkByteCount else {
      return Array("\(head)Content-Length: \(body.count)\r\n\r\n".utf8) + body
    }
    var bytes = Array("\(head)Transfer-Encoding: chunked\r\n\r\n".utf8)
    for start in stride(from: 0, to: body.count, by: chunkByteCount) {
      let chunk = body[start..<min(body.count, start + chunkByteCount)]
      bytes += Array("\(String(chunk.count, radix: 16))\r\n".utf8) + chunk + [13, 10]
    }
    return bytes + Array("0\r\n\r\n".utf8)
  }

  /// Responds with the target: to `/unread` immediately, to `/partly` after the first piece, and to
  /// `/later` in the second turn after the call.
  private static func serve() throws -> ServedLoop {
    try ServedLoop { request, writer in
      let respond = { writer.send(.ok, body: request.target.utf8) }
      switch request.path {
      case "/partly": request.body.next { _ in respond() }
      case "/later": request.body.core.later { request.body.core.later(respond) }
      default: respond()
      }
    }
  }

  @Test(arguments: ["/unread", "/partly", "/later"], [nil, 1000, 100_000])
  func aRequestAfterAShortBodyIsServed(target: String, chunkByteCount: Int?) throws {
    let served = try Self.serve()
    let client = try Client(to: served)
    for byteCount in [1, 1000, 65_536, 200_000] {
      let first = Self.request(target, Self.body(byteCount), chunkByteCount: chunkByteCount)
      try client.send(first + Self.request("/next", [], chunkByteCount: nil))
      #expect(try client.readResponse().text == target, "\(byteCount) bytes")
      #expect(try client.readResponse().text == "/next", "\(byteCount) bytes")
    }
    client.vanish()
    try served.waitUntil("the connection is gone") { $0.value?.connectionCount == 0 }
    try served.stop()
  }

  @Test(arguments: ["/unread", "/partly", "/later"], [nil, 1000, 3_000_000])
  func theResponseIsSeenAndTheConnectionClosed_afterALongBody(
    target: String, chunkByteCount: Int?
  ) throws {
    let served = try Self.serve()
    let client = try Client(to: served)
    let first = Self.request(target, Self.body(3_000_000), chunkByteCount: chunkByteCount)
    #expect(client.trySend(first + Self.request("/next", [], chunkByteCount: nil)))
    #expect(try client.readResponse().text == target)
    #expect(try client.readToEnd() == [])
    client.vanish()
    try served.waitUntil("the connection is gone") { $0.value?.connectionCount == 0 }
    try served.stop()
  }

  @Test(arguments: [nil, 7])
  func requestsInOneGoAreServedInOrder_whateverIsReadOfTheirBodies(chunkByteCount: Int?) throws {
    let served = try Self.serve()
    let client = try Client(to: served)
    var bytes: [UInt8] = []
    let targets = (0..<60).map { ["/unread?", "/partly?", "/later?"][$0 % 3] + "\($0)" }
    for (number, target) in targets.enumerated() {
      bytes += Self.request(target, Self.body(number * 37), chunkByteCount: chunkByteCount)
    }
    try client.send(bytes)
    for target in targets { #expect(try client.readResponse().text == target) }
    client.finishSending()
    #expect(try client.readToEnd() == [])
    try served.stop()
  }

  @Test func aBodyThatIsReadOnAfterItsResponseIsWhole_andThenTheNextRequestIsServed() throws {
    let bytes = OnLoop<[UInt8]>([])
    let served = try ServedLoop { request, writer in
      guard request.path == "/early" else { return writer.send(.ok, body: request.target.utf8) }
      collect(request.body) { bytes.value = $0 }
      writer.send(.accepted, body: "early".utf8)
    }
    let client = try Client(to: served)
    let body = Self.body(1_000_000)
    try client.send(Self.request("/early", Array(body[..<10]), chunkByteCount: nil))
    #expect(try client.readResponse().text == "early")
    try client.send("PUT /early HTTP/1.1\r\nHost: x\r\nContent-Length: \(body.count)\r\n\r\n")
    #expect(try client.readResponse().code == 202)
    try client.send(body + Self.request("/next", [], chunkByteCount: nil))
    #expect(try client.readResponse().text == "/next")
    #expect(try served.onLoop { _ in bytes.value == body })
    try served.stop()
  }

  // The client asks to close the connection: after the response, and therefore after the body.
  @Test(arguments: ["Connection: close", "Connection: keep-alive"])
  func aBodyThatIsReadOnAfterItsResponseIsWhole_whateverBecomesOfTheConnection(
    field: String
  ) throws {
    let desk = OnLoop<[Result<Int, HTTPServer.RequestBody.Failure>]>([])
    let served = try ServedLoop { request, writer in
      request.body.readAll(upTo: 1 << 20) { desk.value.append($0.map(\.count)) }
      writer.send(.accepted, body: "early".utf8)
    }
    let client = try Client(to: served)
    try client.send("PUT / HTTP/1.1\r\nHost: x\r\n\(field)\r\nContent-Length: 300000\r\n\r\n")
    #expect(try client.readResponse().code == 202)
    #expect(client.trySend(Self.body(300_000)))
    try served.waitUntil("the body was read") { _ in desk.value.count == 1 }
    #expect(try served.onLoop { _ in desk.value } == [.success(300_000)])
    client.finishSending()
    #expect(try client.readToEnd() == [])
    try served.stop()
  }

  @Test func aBodyThatIsWrittenToAFileAfterItsResponseIsNeverTakenForWhole_whenItIsNot() throws {
    let results = OnLoop<[Int64?]>([])
    let file = try BodyFile()
    let served = try ServedLoop { request, writer in
      guard let place = file.place(0) else { return }
      var slow = FileWriter.Configuration()
      slow.chunkByteCount = 4096
      slow.bufferByteCount = 4096
      request.body.write(to: place.file, configuration: slow) { result in
        results.value.append(try? result.get())
      }
      writer.send(.accepted)
    }
    try file.open(served)
    let client = try Client(to: served)
    for number in 1...20 {
      let body = Pattern.block(number, byteCount: 200_000)
      try client.send("PUT / HTTP/1.1\r\nHost: x\r\nContent-Length: \(body.count)\r\n\r\n")
      #expect(client.trySend(body))
      #expect(try client.readResponse().code == 202)
      try served.waitUntil("body \(number) is written") { _ in results.value.count == number }
      let isWhole = try served.onLoop { _ in
        results.value.last == 200_000 && file.place(0)?.bytes(200_000) == body
      }
      #expect(isWhole, "body \(number)")
    }
    try file.close(served)
    try served.stop()
  }
}
