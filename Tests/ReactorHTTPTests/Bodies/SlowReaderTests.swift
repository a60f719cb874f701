import Dispatch
import Reactor
import Synchronization
import TestSupport
import Testing

@testable import ReactorHTTP

/// Slow handlers: bytes that they have not requested stay with the client.
@Suite struct SlowReaderTests {
  /// A request whose body is read piece by piece, when the test requests it.
  private final class Tap {
    var request: HTTPServer.Request?
    var writer: HTTPServer.ResponseWriter?
    var bytes: [UInt8] = []
    var pieceCount = 0
    var isAtEnd = false

    func next() {
      request?.body.next { [self] result in
        guard case .success(let bytes?) = result else {
          isAtEnd = true
          return
        }
        pieceCount += 1
        self.bytes += bytes
      }
    }
  }

  private let tap = OnLoop(Tap())

  private func serve(_ configuration: HTTPServer.Configuration = .init()) throws -> ServedLoop {
    let tap = tap
    return try ServedLoop(configuration) { request, writer in
      guard request.path == "/slow" else { return writer.send(.noContent) }
      (tap.value.request, tap.value.writer) = (request, writer)
    }
  }

  /// Sends until the kernel accepts no more although the loop has made turns.
  private func fill(_ client: Client, _ served: ServedLoop, _ block: [UInt8]) throws -> Int {
    var (sent, idleRounds) = (0, 0)
    while idleRounds < 20 {
      let count = try client.sendNow(Array(block[(sent % block.count)...]))
      sent += count
      try #require(sent < 64 << 20, "the server reads bytes that were not requested")
      idleRounds = count == 0 ? idleRounds + 1 : 0
      if count == 0 { try served.settle() }
    }
    return sent
  }

  @Test func aBodyIsNotReadBeforeItIsRequested_andThenArrivesWhole() throws {
    let tap = tap
    let served = try serve()
    let client = try Client(to: served)
    let block = Pattern.block(1, byteCount: 1 << 20)
    let byteCount = 64 << 20
    try client.send("PUT /slow HTTP/1.1\r\nHost: x\r\nContent-Length: \(byteCount)\r\n\r\n")
    try served.waitUntil("the request") { _ in tap.value.request != nil }
    var sent = try fill(client, served, block)
    #expect(try served.onLoop { _ in tap.value.request?.body.receivedByteCount } == 0)
    // One piece is requested, and one is read.
    for piece in 1...3 {
      try served.onLoop { _ in tap.value.next() }
      try served.waitUntil("a piece") { _ in tap.value.pieceCount == piece }
      sent += try fill(client, served, Array(block[(sent % block.count)...]))
      let taken = try served.onLoop { _ in Int(tap.value.request?.body.receivedByteCount ?? 0) }
      #expect(taken == (try served.onLoop { _ in tap.value.bytes.count }))
      #expect(taken <= piece * HTTPServer.RequestBody.chunkByteCount)
    }
    // Other clients are served meanwhile.
    let other = try Client(to: served)
    #expect(try other.get("/other").code == 204)
    #expect(try served.onLoop { _ in tap.value.bytes == Array(block[..<tap.value.bytes.count]) })
    client.vanish()
    try served.onLoop { _ in (tap.value.request, tap.value.writer) = (nil, nil) }
    try served.stop()
  }

  @Test(arguments: [4096, 65_536])
  func aHandlerThatReadsAPieceInEachTurnGetsEveryByte(inputByteCount: Int) throws {
    let tap = tap
    var configuration = HTTPServer.Configuration()
    configuration.headByteLimit = 1024
    configuration.inputByteCount = inputByteCount
    let served = try serve(configuration)
    let client = try Client(to: served)
    let body = Pattern.block(2, byteCount: 1 << 20)
    try client.send("PUT /slow HTTP/1.1\r\nHost: x\r\nContent-Length: \(body.count)\r\n\r\n")
    try served.waitUntil("the request") { _ in tap.value.request != nil }
    var (pieces, sent) = (0, 0)
    while try !served.onLoop({ _ in tap.value.isAtEnd }) {
      pieces += 1
      sent += try client.sendNow(Array(body[sent...]))
      let piece = pieces
      try served.onLoop { _ in tap.value.next() }
      try served.waitUntil("a piece") { _ in tap.value.pieceCount == piece || tap.value.isAtEnd }
    }
    // At most the input of a connection is passed at a time.
    #expect(pieces > body.count / inputByteCount)
    #expect(try served.onLoop { _ in tap.value.bytes == body })
    try served.onLoop { _ in
      tap.value.writer?.send(.ok)
      (tap.value.request, tap.value.writer) = (nil, nil)
    }
    #expect(try client.readResponse().code == 200)
    try served.stop()
  }

  @Test func aBodyThatIsNotReadMakesNoClientSlow() throws {
    let tap = tap
    var configuration = HTTPServer.Configuration()
    configuration.requestTimeout = .milliseconds(1)
    configuration.inactivityTimeout = .milliseconds(1)
    let served = try serve(configuration)
    let client = try Client.connected(
      to: served, sending: "PUT /slow HTTP/1.1\r\nHost: x\r\nContent-Length: 5\r\n\r\nHel")
    try served.waitUntil("the request") { _ in tap.value.request != nil }
    // When this one is closed, all connections have been checked.
    let late = try Client.connected(to: served, sending: "GET / HT")
    #expect(try late.readResponse().code == 408)
    #expect(try served.onLoop { _ in tap.value.request?.body.failure == nil })
    try served.onLoop { _ in tap.value.next() }
    try served.waitUntil("the piece") { _ in tap.value.pieceCount == 1 }
    // Now a reader waits for the rest.
    try served.onLoop { _ in tap.value.next() }
    try served.waitUntil("the end") { _ in tap.value.isAtEnd }
    #expect(try served.onLoop { _ in tap.value.request?.body.failure } == .timedOut)
    try served.onLoop { _ in (tap.value.request, tap.value.writer) = (nil, nil) }
    #expect(try client.readResponse().code == 408)
    #expect(try client.readToEnd() == [])
    try served.stop()
  }
}
