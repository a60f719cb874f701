import PosixAIO
import Reactor
import SystemPackage
import TestSupport
import Testing

@testable import ReactorHTTP

/// No reader of a body, writer of a piece, or connection waits forever.
@Suite struct ProgressTests {
  private static let chunkedHead = """
    PUT / HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n
    """

  @Test func aBodyOfManySmallChunksIsReadToItsEnd_whenItHasArrivedAtOnce() throws {
    let served = try ServedLoop { request, writer in readAll(request.body, writer) }
    let client = try Client(to: served)
    try client.send(Self.chunkedHead + String(repeating: "1\r\nx\r\n", count: 100) + "0\r\n\r\n")
    #expect(try client.readResponse().text == "100")
    try served.stop()
  }

  @Test func theReaderOfABodyGetsItsRest_whenTheClosingResponseIsWrittenFirst() throws {
    let texts = OnLoop<[String]>([])
    let served = try ServedLoop { request, writer in
      request.body.readAll(upTo: 100) { result in
        texts.value.append((try? result.get()).map { String(decoding: $0, as: UTF8.self) } ?? "-")
      }
      writer.send(.accepted)
    }
    let client = try Client(to: served)
    try client.begin("PUT", "/", headers: ["Connection: close", "Content-Length: 4"])
    #expect(try client.readResponse().code == 202)
    try client.send("body")
    try served.waitUntil("the read completes") { _ in !texts.value.isEmpty }
    #expect(try served.onLoop { _ in texts.value } == ["body"])
    #expect(try client.readToEnd() == [])
    try served.stop()
  }

  @Test func readingABodyTooLateFails() throws {
    let bodies = OnLoop<[HTTPServer.RequestBody]>([])
    let failures = OnLoop<[HTTPServer.RequestBody.Failure]>([])
    let served = try ServedLoop { request, writer in
      bodies.value.append(request.body)
      writer.send(.accepted)
    }
    let client = try Client(to: served)
    // A longer body than the server reads and drops.
    try client.begin("PUT", "/", headers: ["Content-Length: 1000000"])
    #expect(try client.readResponse()["Connection"] == "close")
    try served.onLoop { _ in
      bodies.value[0].next { result in
        if case .failure(let failure) = result { failures.value.append(failure) }
      }
    }
    client.finishSending()
    try served.waitUntil("the read completes") { _ in !failures.value.isEmpty }
    #expect(try served.onLoop { _ in failures.value } == [.connectionClosed(.local)])
    try served.stop()
  }

  @Test func aBodyThatWasDroppedDoesNotLookWhole() throws {
    let bodies = OnLoop<[HTTPServer.RequestBody]>([])
    let outcomes = OnLoop<[Result<[UInt8]?, HTTPServer.RequestBody.Failure>]>([])
    let served = try ServedLoop { request, writer in
      bodies.value.append(request.body)
      writer.send(.accepted)
    }
    let client = try Client(to: served)
    #expect(try client.ask("PUT", "/", body: [1, 2, 3]).code == 202)
    // The body of the first request has ended by then.
    #expect(try client.get("/").code == 202)
    try served.onLoop { _ in bodies.value[0].next { outcomes.value.append($0) } }
    try served.waitUntil("the read completes") { _ in !outcomes.value.isEmpty }
    #expect(try served.onLoop { _ in outcomes.value } == [.failure(.connectionClosed(.local))])
    try served.stop()
  }

  @Test func writingARangeOfAClosedFileFails() throws {
    let folder = try TemporaryDirectory()
    try folder.write(pattern(100_000), to: "file")
    let path = folder.path.appending("file")
    let failures = OnLoop<[PumpError]>([])
    let loop = OnLoop<EventLoop?>(nil)
    let served = try ServedLoop { _, writer in
      guard let loop = loop.value else { return }
      File.open(path, .readOnly, on: loop) { result in
        guard let file = try? result.get() else { return }
        file.close()
        writer.start(.ok, contentLength: 100_000)
        writer.write(file, 0..<100_000) { result in
          if case .failure(let error) = result { failures.value.append(error) }
        }
        writer.end()
      }
    }
    try served.onLoop { loop.value = $0.value?.core.loop }
    let client = try Client(to: served)
    try client.begin("GET", "/")
    _ = try? client.readToEnd()
    try served.waitUntil("the write fails") { _ in !failures.value.isEmpty }
    try served.onLoop { _ in loop.value = nil }
    try served.stop()
  }

  @Test func aRefusalInTheMiddleOfALongBodySaysThatItClosesTheConnection() throws {
    let served = try ServedLoop { request, writer in
      request.body.next { _ in writer.send(.insufficientStorage) }
    }
    let client = try Client(to: served)
    try client.begin("PUT", "/", headers: ["Content-Length: 1000000"])
    try client.send("begin")
    let response = try client.readResponse()
    #expect(response.code == 507)
    #expect(response["Connection"] == "close")
    try served.stop()
  }

  // MARK: - Pace

  @Test func aClientThatDoesNotTakeALateResponseIsCut() throws {
    let writers = OnLoop<[HTTPServer.ResponseWriter]>([])
    let outcomes = OnLoop<[HTTPServer.ResponseWriter.Outcome]>([])
    let served = try ServedLoop(.impatient) { _, writer in
      writer.onEnd { outcomes.value.append($0) }
      writers.value.append(writer)
    }
    let client = try Client.connected(
      to: served, sending: plainRequest, receiveBufferByteCount: 4096)
    try waitForRest(served) { _ in writers.value.count == 1 }
    try served.onLoop { _ in
      writers.value[0].send(.ok, body: [UInt8](repeating: 120, count: 64 << 20))
      writers.value = []
    }
    try served.waitUntil("the response has ended") { _ in outcomes.value.count == 1 }
    #expect(try served.onLoop { _ in outcomes.value[0].isComplete } == false)
    withExtendedLifetime(client) {}
    try served.stop()
  }

  @Test func aClientThatStaysIdleAfterALateResponseIsClosed() throws {
    let writers = OnLoop<[HTTPServer.ResponseWriter]>([])
    let served = try ServedLoop(.impatient) { _, writer in writers.value.append(writer) }
    let client = try Client.connected(to: served, sending: plainRequest)
    try waitForRest(served) { _ in writers.value.count == 1 }
    try served.onLoop { _ in
      writers.value[0].send(.ok)
      writers.value = []
    }
    #expect(try client.readResponse().code == 200)
    #expect(try client.readToEnd() == [])
    try served.stop()
  }

  @Test func aClientThatDoesNotTakeAResponseThatClosesItsConnectionIsCut_afterTheSameTime() throws {
    let outcomes = OnLoop<[HTTPServer.ResponseWriter.Outcome]>([])
    let served = try ServedLoop(.impatient) { _, writer in
      writer.onEnd { outcomes.value.append($0) }
      writer.send(.ok, body: [UInt8](repeating: 120, count: 64 << 20))
    }
    let start = ContinuousClock.now
    let client = try Client.connected(
      to: served, sending: "GET / HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n",
      receiveBufferByteCount: 4096)
    try served.waitUntil("the response has ended") { _ in outcomes.value.count == 1 }
    // A connection itself takes at most 30 seconds to close, whatever output is waiting.
    #expect(ContinuousClock.now - start < .seconds(20))
    withExtendedLifetime(client) {}
    try served.stop()
  }

  @Test func aClientThatTookMuchAtOnceMayPause() throws {
    var configuration = HTTPServer.Configuration()
    configuration.inactivityTimeout = .seconds(1)
    let served = try ServedLoop(configuration) { _, writer in
      writer.send(.ok, body: [UInt8](repeating: 120, count: 32 << 20))
    }
    let client = try Client.connected(
      to: served, sending: plainRequest, receiveBufferByteCount: 65_536)
    _ = try client.readHead()
    // Usually before the server first checks its speed.
    #expect(try client.skip(byteCount: 16 << 20) == 16 << 20)
    for _ in 1...2 {
      let idle = try Client(to: served)
      #expect(try idle.readToEnd() == [])
    }
    #expect(try client.skip(byteCount: 16 << 20) == 16 << 20)
    try served.stop()
  }

  @Test func aTrailerThatIsLongerThanTheInputIsRefused() throws {
    var configuration = HTTPServer.Configuration()
    configuration.headByteLimit = 1024
    configuration.inputByteCount = 4096
    let served = try ServedLoop(configuration) { request, writer in
      readAll(request.body, writer)
    }
    let client = try Client(to: served)
    let trailer = "X: " + String(repeating: "a", count: 8000)
    try client.send(Self.chunkedHead + "1\r\nx\r\n0\r\n" + trailer)
    #expect(try client.readResponse().code == 400)
    try served.stop()
  }

  /// Waits until a condition holds, and then until the server no longer checks its connections,
  /// because none of them waits for its client.
  private func waitForRest(
    _ served: ServedLoop, _ isTrue: @escaping @Sendable (OnLoop<HTTPServer?>) -> Bool
  ) throws {
    try served.waitUntil("the request", isTrue)
    try served.waitUntil("no check is scheduled") { $0.value?.isWatching == false }
  }

  // MARK: - The end of the server

  @Test func aServerMayBeReleasedWhenAResponseIsOut_thoughTheNextRequestHasBegun() throws {
    let box = OnLoop<HTTPServer?>(nil)
    let served = try ServedLoop { _, writer in
      writer.onEnd { _ in box.value = nil }
      writer.send(.ok)
    }
    try served.onLoop { server in
      box.value = server.value
      server.value = nil
    }
    let client = try Client(to: served)
    try client.send("GET / HTTP/1.1\r\nHost: x\r\n\r\nGET / HT")
    #expect(try client.readResponse().code == 200)
    #expect((try? client.readToEnd()) ?? [] == [])
    #expect(try served.onLoop { _ in box.value == nil })
    try served.stop()
  }

  // MARK: - Captures of completions

  @Test func whatACompletionHoldsIsReleasedAfterIt_andMayWriteThen() throws {
    let served = try ServedLoop { _, writer in
      writer.start(.ok, contentLength: 1 + 8_000_000 + 1 + 1)
      let last = Last { [weak writer] in
        writer?.write(IOBuffer(copying: "z".utf8)) { _, _ in }
      }
      // It is sent long before the others.
      writer.write(IOBuffer(copying: "a".utf8)) { _, _ in withExtendedLifetime(last) {} }
      writer.write(IOBuffer(copying: [UInt8](repeating: 98, count: 8_000_000))) { _, _ in }
      writer.write(IOBuffer(copying: "c".utf8)) { _, _ in writer.end() }
    }
    let client = try Client(to: served, receiveBufferByteCount: 65_536)
    try client.begin("GET", "/")
    let body = try client.readResponse().body
    #expect(body.first == UInt8(ascii: "a"))
    #expect(body.last == UInt8(ascii: "z"))
    try served.stop()
  }

  // MARK: - Memory

  @Test func aClientThatTakesNoResponseHasFewRequestsRead() throws {
    let count = OnLoop(0)
    let served = try ServedLoop { _, writer in
      count.value += 1
      writer.send(.noContent)
    }
    let client = try Client(to: served, receiveBufferByteCount: 4096)
    client.limitSending(to: .milliseconds(500))
    let filler = String(repeating: "a", count: 8000)
    let request = "GET / HTTP/1.1\r\nHost: x\r\nX: \(filler)\r\n\r\n"
    // Many times the size of the buffers of the kernel and of the limits.
    var sent = 0
    while sent < 100_000, client.trySend(request) { sent += 1 }
    #expect(sent < 100_000)
    let unsent = try served.onLoop { $0.value?.responsesInProgress ?? 0 }
    #expect(unsent <= 100)
    try served.stop()
  }
}

extension HTTPServer.Configuration {
  fileprivate static var impatient: Self {
    var configuration = Self()
    configuration.inactivityTimeout = .milliseconds(50)
    configuration.responsePauseLimit = .zero
    return configuration
  }
}

/// Calls an action in its `deinit`.
private final class Last {
  private let action: () -> Void

  init(_ action: @escaping () -> Void) {
    self.action = action
  }

  deinit { action() }
}

/// Reads chunk by chunk, and responds with the number of bytes.
private func readAll(
  _ body: HTTPServer.RequestBody, _ writer: HTTPServer.ResponseWriter, after byteCount: Int = 0
) {
  body.next { result in
    switch result {
    case .success(let bytes?): readAll(body, writer, after: byteCount + bytes.count)
    case .success(nil): writer.send(.ok, body: "\(byteCount)".utf8)
    case .failure(let failure): writer.send(failure.status)
    }
  }
}
