import PosixAIO
import Reactor
import TestSupport
import Testing

@testable import ReactorHTTP

/// Responses that are ended after all their bytes were sent.
@Suite struct LateEndTests {
  private let writers = OnLoop<[HTTPServer.ResponseWriter]>([])
  private let outcomes = OnLoop<[HTTPServer.ResponseWriter.Outcome]>([])

  /// Serves responses of five bytes without ending them.
  private func serve(_ configuration: HTTPServer.Configuration = .init()) throws -> ServedLoop {
    let (writers, outcomes) = (writers, outcomes)
    return try ServedLoop(configuration) { _, writer in
      writer.onEnd { outcomes.value.append($0) }
      writer.start(.ok, contentLength: 5)
      writer.write(IOBuffer(copying: "bytes".utf8)) { _, _ in writers.value.append(writer) }
    }
  }

  /// Ends the response after the client has all its bytes, so the kernel has taken them.
  private func endLate(_ served: ServedLoop, _ client: Client, _ method: String) throws {
    let writers = writers
    try client.begin(method, "/")
    _ = try client.readResponse(to: method)
    try served.waitUntil("the piece") { _ in writers.value.count == 1 }
    try served.settle()
    try served.onLoop { _ in
      writers.value[0].end()
      writers.value = []
    }
    try served.settle()
  }

  @Test(arguments: ["GET", "HEAD"])
  func theEndOfAResponseIsReported_whenItsBytesWereSentBefore(method: String) throws {
    let (outcomes, served) = (outcomes, try serve())
    let client = try Client(to: served)
    try endLate(served, client, method)
    #expect(try served.onLoop { _ in outcomes.value.map(\.isComplete) } == [true])
    #expect(try served.onLoop { $0.value?.responsesInProgress } == 0)
    client.vanish()
    try served.stop()
  }

  @Test func aServerShutsDown_whenTheBytesOfItsLastResponseWereSentBefore() throws {
    let served = try serve()
    let client = try Client(to: served)
    try endLate(served, client, "GET")
    let isIdle = OnLoop(false)
    try served.onLoop { $0.value?.shutDown { isIdle.value = true } }
    for _ in 0..<10 { try served.settle() }
    #expect(try served.onLoop { _ in isIdle.value })
    client.vanish()
    try served.stop()
  }

  @Test func aClientThatStaysIdleIsClosed_whenItsResponseWasEndedLate() throws {
    var configuration = HTTPServer.Configuration()
    configuration.inactivityTimeout = .milliseconds(50)
    let (writers, served) = (writers, try serve(configuration))
    let client = try Client.connected(to: served, sending: plainRequest)
    #expect(try client.readResponse().code == 200)
    // The handler is slow, and no check of the connection is scheduled.
    try served.waitUntil("no check is scheduled") {
      writers.value.count == 1 && $0.value?.isWatching == false
    }
    try served.onLoop { _ in
      writers.value[0].end()
      writers.value = []
    }
    #expect(try client.readToEnd() == [])
    try served.stop()
  }
}
