import Dispatch
import PosixAIO
import Reactor
import TestSupport
import Testing

@testable import ReactorHTTP

/// How much time responses leave to the other work of the loop.
@Suite struct FairnessTests {
  // No byte of a body is sent for HEAD, so no socket ever stops the writer.
  @Test(arguments: ["GET", "HEAD"])
  func aTimerFires_whileEachPieceOfTwoResponsesStartsTheNext(method: String) throws {
    let loop = OnLoop<EventLoop?>(nil)
    let (responseCount, hasFired) = (OnLoop(0), OnLoop(false))
    let served = try ServedLoop { _, writer in
      writer.start(.ok, contentLength: 1 << 40)
      stream(writer, until: hasFired)
      responseCount.value += 1
      if responseCount.value == 2 { loop.value?.schedule(after: .zero) { hasFired.value = true } }
    }
    try served.onLoop { loop.value = $0.value?.core.loop }
    let clients = [try Client(to: served), try Client(to: served)]
    for client in clients { try client.begin(method, "/") }
    for client in clients {
      #expect(try client.readHead().code == 200)
      _ = try client.readToEnd()
    }
    try served.onLoop { _ in loop.value = nil }
    try served.stop()
  }

  @Test func theLoopRests_whileAResponseWaits_andItsClientHasSentTheNextRequest() throws {
    let writers = OnLoop<[HTTPServer.ResponseWriter]>([])
    let served = try ServedLoop { _, writer in writers.value.append(writer) }
    let client = try Client(to: served)
    try client.begin("GET", "/first")
    try served.waitUntil("the first request") { _ in writers.value.count == 1 }
    try client.begin("GET", "/second")
    let turnCount = try served.turnCount(within: .milliseconds(50))
    // A loop that reads nothing but checks each time makes thousands of turns.
    #expect(turnCount < 20)
    for place in 0..<2 {
      try served.waitUntil("a request") { _ in writers.value.count == place + 1 }
      try served.onLoop { _ in writers.value[place].send(.ok, body: "\(place)".utf8) }
      #expect(try client.readResponse().text == "\(place)")
    }
    try served.onLoop { _ in writers.value = [] }
    try served.stop()
  }
}

extension ServedLoop {
  /// The number of turns that an idle loop makes in a period.
  fileprivate func turnCount(within time: Duration) throws -> UInt64 {
    let count = OnLoop<UInt64>(0)
    let done = DispatchSemaphore(value: 0)
    try onLoop { server in
      guard let loop = server.value?.core.loop else { return }
      count.value = loop.statistics.turnCount
      loop.schedule(after: time) {
        count.value = loop.statistics.turnCount - count.value
        done.signal()
      }
    }
    try done.waitOrFail("the timer")
    return try onLoop { _ in count.value }
  }
}

/// Writes a byte each time the previous one was sent, and releases the writer at the end.
private func stream(_ writer: HTTPServer.ResponseWriter, until isOver: OnLoop<Bool>) {
  writer.write(IOBuffer(copying: [1])) { delivery, _ in
    if delivery == .sent, !isOver.value { stream(writer, until: isOver) }
  }
}
