import PosixAIO
import Reactor
import TestSupport
import Testing

@testable import ReactorHTTP

/// Responses that are ended when all their bytes have been sent already.
@Suite struct LateEndTests {
  private let writers = OnLoop<[HTTPServer.ResponseWriter]>([])
  private let outcomes = OnLoop<[HTTPServer.ResponseWriter.Outcome]>([])

  /// Serves responses of five bytes that nobody has ended.
  private func serve(_ configuration: HTTPServer.Configuration = .init()) throws -> ServedLoop {
    let (writers, outcomes) = (writers, outcomes)
    return try ServedLoop(configuration) { _, writer in
      writer.onEnd { outcomes.value.append($0) }
      writer.start(.ok, contentLength: 5)
      writer.write(IOBuffer(copying: "bytes".utf8)) { _, _ in writers.value.append(writer) }
    }
  }

  /// Has the response ended when the client has all its bytes, and so the kernel has.
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
  func theEndOfAResponseIsTold_whenItsBytesWereSentBefore(method: String) throws {
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
    let client = try Client(to: served)
    try client.begin("GET", "/")
    #expect(try client.readResponse().code == 200)
    // The handler takes its time, and nobody looks at the connection.
    try served.waitUntil("nobody looks") {
      writers.value.count == 1 && $0.value?.isWatching == false
    }
    try served.onLoop { _ in
      writers.value[0].end()
      writers.value = []
    }
    try served.settle()
    #expect(try served.onLoop { $0.value?.isWatching } == true)
    client.vanish()
    try served.stop()
  }
}
