import PosixAIO
import Reactor
import TestSupport
import Testing

@testable import ReactorHTTP

/// What answers leave to everybody else in the loop.
@Suite struct FairnessTests {
  // Of HEAD no byte of a body goes out: no socket ever says that it is enough for now.
  @Test(arguments: ["GET", "HEAD"])
  func aTimerFires_whileEachPieceOfTwoAnswersStartsTheNext(method: String) throws {
    let loop = OnLoop<EventLoop?>(nil)
    let (answerCount, hasFired) = (OnLoop(0), OnLoop(false))
    let served = try ServedLoop { _, responder in
      responder.start(.ok, contentLength: 1 << 40)
      stream(responder, until: hasFired)
      answerCount.value += 1
      if answerCount.value == 2 { loop.value?.schedule(after: .zero) { hasFired.value = true } }
    }
    try served.onLoop { loop.value = $0.value?.loop }
    let clients = [try Client(to: served), try Client(to: served)]
    for client in clients { try client.begin(method, "/") }
    for client in clients {
      #expect(try client.readHead().code == 200)
      _ = try client.readToEnd()
    }
    try served.onLoop { _ in loop.value = nil }
    try served.stop()
  }
}

/// Writes a byte each time when the one before was sent, and lets go of the answer in the end.
private func stream(_ responder: HTTPResponder, until isOver: OnLoop<Bool>) {
  responder.write(IOBuffer(copying: [1])) { delivery, _ in
    if delivery == .sent, !isOver.value { stream(responder, until: isOver) }
  }
}
