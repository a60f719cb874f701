import Dispatch
import PosixAIO
import Synchronization
import TestSupport
import Testing

@testable import ReactorHTTP

@Suite struct OutcomeTests {
  private final class Outcomes: Sendable {
    private let list = Mutex<[HTTPServer.ResponseWriter.Outcome]>([])

    private let arrival = DispatchSemaphore(value: 0)

    func add(_ outcome: HTTPServer.ResponseWriter.Outcome) {
      list.withLock { $0.append(outcome) }
      arrival.signal()
    }

    func waitForNext() throws { try arrival.waitOrFail("an response did not end") }
    var all: [HTTPServer.ResponseWriter.Outcome] { list.withLock { $0 } }
  }

  @Test func theEndOfEachResponseIsReported_withItsStatusAndTheBytesOfItsBody() throws {
    let outcomes = Outcomes()
    let served = try ServedLoop { request, writer in
      writer.onEnd(outcomes.add)
      switch request.path {
      case "/small": writer.send(.notFound, body: "Hello".utf8)
      case "/empty": writer.send(.noContent)
      default:
        writer.start(.ok, contentLength: 300_000)
        streamPattern(writer, from: 0, to: 300_000, pieceByteCount: 70_000)
      }
    }
    let client = try Client(to: served)
    for path in ["/small", "/empty", "/large"] {
      try client.send("GET \(path) HTTP/1.1\r\nHost: x\r\n\r\n")
      _ = try client.readResponse()
    }
    try client.send("HEAD /small HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n")
    _ = try client.readToEnd()
    for _ in 1...4 { try outcomes.waitForNext() }
    try served.stop()
    #expect(outcomes.all.map(\.status?.code) == [404, 204, 200, 404])
    #expect(outcomes.all.map(\.bodyByteCount) == [5, 0, 300_000, 0])
    #expect(outcomes.all.map(\.isComplete) == [true, true, true, true])
  }

  @Test func theEndIsReported_whenTheResponseIsCut() throws {
    let outcomes = Outcomes()
    let served = try ServedLoop { _, writer in
      writer.onEnd(outcomes.add)
      writer.start(.ok, contentLength: 10)
      writer.write(IOBuffer(copying: "1234".utf8)) { _, _ in writer.cut() }
    }
    let client = try Client(to: served)
    try client.send("GET / HTTP/1.1\r\nHost: x\r\n\r\n")
    _ = try client.readToEnd()
    try outcomes.waitForNext()
    try served.stop()
    #expect(outcomes.all.map(\.status?.code) == [200])
    #expect(outcomes.all.map(\.bodyByteCount) == [4])
    #expect(outcomes.all.map(\.isComplete) == [false])
  }

  @Test func whatWasWrittenBeforeTheCutIsSent_andComesBackOnce() throws {
    let (outcomes, deliveries) = (Outcomes(), OnLoop<[HTTPServer.ResponseWriter.Delivery]>([]))
    let served = try ServedLoop { _, writer in
      writer.onEnd(outcomes.add)
      writer.start(.ok, contentLength: 10)
      for text in ["1234", "5678"] {
        writer.write(IOBuffer(copying: text.utf8)) { delivery, buffer in
          #expect(Array(buffer) == Array(text.utf8))
          deliveries.value.append(delivery)
        }
      }
      writer.cut()
    }
    let client = try Client(to: served)
    try client.send("GET / HTTP/1.1\r\nHost: x\r\n\r\n")
    let text = String(decoding: try client.readToEnd(), as: UTF8.self)
    #expect(text.hasPrefix("HTTP/1.1 200 OK\r\n") && text.hasSuffix("\r\n\r\n12345678"))
    try outcomes.waitForNext()
    try served.waitUntil("both pieces") { _ in deliveries.value.count == 2 }
    try served.stop()
    #expect(deliveries.value == [.sent, .sent])
    #expect(outcomes.all.map(\.isComplete) == [false])
  }

  @Test func aWholeResponseIsSent_thoughItIsCutAfterwards() throws {
    let served = try ServedLoop { _, writer in
      writer.send(.ok, body: "whole".utf8)
      writer.cut()
    }
    let client = try Client(to: served)
    for _ in 0..<2 {
      try client.begin("GET", "/")
      #expect(try client.readResponse().text == "whole")
    }
    try served.stop()
  }

  @Test func aWholeResponseIsSent_thoughTheServerGoesInTheSameTurn() throws {
    let held = OnLoop<[HTTPServer.ResponseWriter]>([])
    let served = try ServedLoop { _, writer in held.value.append(writer) }
    let client = try Client(to: served)
    try client.begin("GET", "/")
    try served.waitUntil("the request") { _ in held.value.count == 1 }
    try served.onLoop { server in
      held.value[0].send(.ok, body: "whole".utf8)
      held.value = []
      server.value = nil
    }
    #expect(try client.readResponse().text == "whole")
    try served.stop()
  }

  @Test func theVersionOfTheClientIsKnown() throws {
    let served = try ServedLoop { request, writer in
      writer.send(.ok, body: "1.\(request.minorVersion)".utf8)
    }
    for version in ["1.1", "1.0"] {
      let client = try Client(to: served)
      try client.send("GET / HTTP/\(version)\r\nHost: x\r\n\r\n")
      let response = try client.readResponse()
      #expect(response.text == version)
    }
    try served.stop()
  }
}
