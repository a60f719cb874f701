import PosixAIO
import Reactor
import TestSupport
import Testing

@testable import ReactorHTTP

/// Calls that come too late.
@Suite struct LateCallTests {
  private typealias Failure = HTTPServer.RequestBody.Failure

  private let requests = OnLoop<[(HTTPServer.Request, HTTPServer.ResponseWriter)]>([])

  private func serve() throws -> ServedLoop {
    let requests = requests
    return try ServedLoop { requests.value.append(($0, $1)) }
  }

  private func waitForRequest(_ served: ServedLoop) throws {
    let requests = requests
    try served.waitUntil("the request") { _ in requests.value.count == 1 }
  }

  @Test(arguments: [0, 5, 1_000_000])
  func aResponseThatIsWrittenWhenTheServerIsGoneIsNotTakenForSent(byteCount: Int) throws {
    let (requests, served) = (requests, try serve())
    let outcomes = OnLoop<[HTTPServer.ResponseWriter.Outcome]>([])
    let losses = OnLoop(0)
    let client = try Client(to: served)
    try client.begin("GET", "/")
    try waitForRequest(served)
    try served.onLoop { server in
      server.value = nil
      let writer = requests.value[0].1
      writer.onEnd { outcomes.value.append($0) }
      writer.onConnectionLost { losses.value += 1 }
      writer.send(.ok, body: [UInt8](repeating: 0, count: byteCount))
    }
    try served.waitUntil("the outcome") { _ in outcomes.value.count == 1 }
    #expect(try served.onLoop { _ in outcomes.value[0].isComplete } == false)
    #expect(try served.onLoop { _ in outcomes.value[0].bodyByteCount } == 0)
    #expect(try served.onLoop { _ in losses.value } == 1)
    #expect(try client.readToEnd() == [])
    try served.onLoop { _ in requests.value = [] }
    try served.stop()
  }

  /// The result for a handler that reads after the rest was dropped or the connection has closed.
  @Test(arguments: [10, 200_000, 3_000_000], ["keep-alive", "close"])
  func aBodyThatIsReadWhenItWasDroppedIsNotTakenForWhole(byteCount: Int, option: String) throws {
    let (requests, served) = (requests, try serve())
    let results = OnLoop<[Result<[UInt8]?, Failure>]>([])
    let client = try Client(to: served)
    try client.send(
      "PUT / HTTP/1.1\r\nHost: x\r\nConnection: \(option)\r\nContent-Length: \(byteCount)\r\n\r\n")
    try waitForRequest(served)
    try served.onLoop { _ in requests.value[0].1.send(.ok) }
    _ = client.trySend([UInt8](repeating: 65, count: byteCount))
    #expect(try client.readResponse().code == 200)
    let isOpen = option == "keep-alive" && byteCount < 300_000
    if isOpen {
      try client.begin("GET", "/")
      try served.waitUntil("the next request") { _ in requests.value.count == 2 }
    } else {
      #expect(try client.readToEnd() == [])
    }
    for count in 1...2 {
      try served.onLoop { _ in requests.value[0].0.body.next { results.value.append($0) } }
      try served.waitUntil("a result") { _ in results.value.count == count }
    }
    #expect(
      try served.onLoop { _ in results.value }
        == [.failure(.connectionClosed(.local)), .failure(.connectionClosed(.local))])
    try served.onLoop { _ in requests.value = [] }
    client.vanish()
    try served.stop()
  }

  @Test func aPieceThatIsWrittenAfterTheCutIsLost() throws {
    let (requests, served) = (requests, try serve())
    let deliveries = OnLoop<[HTTPServer.ResponseWriter.Delivery]>([])
    let client = try Client(to: served)
    try client.begin("GET", "/")
    try waitForRequest(served)
    try served.onLoop { _ in
      let writer = requests.value[0].1
      writer.start(.ok, contentLength: 10)
      writer.cut()
      for byteCount in [0, 5] {
        writer.write(IOBuffer(copying: [UInt8](repeating: 0, count: byteCount))) { delivery, _ in
          deliveries.value.append(delivery)
        }
      }
    }
    try served.waitUntil("both") { _ in deliveries.value.count == 2 }
    #expect(try served.onLoop { _ in deliveries.value } == [.connectionLost, .connectionLost])
    _ = try client.readToEnd()
    try served.onLoop { _ in requests.value = [] }
    try served.stop()
  }
}
