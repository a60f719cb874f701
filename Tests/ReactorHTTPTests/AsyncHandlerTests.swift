import PosixAIO
import Reactor
import TestSupport
import Testing

@testable import ReactorHTTP

/// Asynchronous handlers.
@Suite struct AsyncHandlerTests {
  private typealias Handler =
    nonisolated(nonsending) @Sendable (HTTPServer.Request, HTTPServer.ResponseWriter) async -> Void

  private static func serve(_ handler: @escaping Handler) throws -> ServedLoop {
    try ServedLoop { HTTPServer(on: $0, asyncHandler: handler) }
  }

  @Test func eachRequestHasATask_andAllOfThemTheLoop() throws {
    let served = try Self.serve { request, writer in
      do throws(HTTPServer.RequestBody.Failure) {
        var count = 0
        var chunks = request.body.chunks.makeAsyncIterator()
        while let bytes = try await chunks.next(isolation: nil) { count += bytes.count }
        writer.send(.ok, body: "\(request.target) \(count)".utf8)
      } catch {
        writer.send(error.status)
      }
    }
    let clients = try (0..<20).map { _ in try Client(to: served) }
    for round in 1...3 {
      for (number, client) in clients.enumerated() {
        try client.begin(
          "PUT", "/\(number)", body: [UInt8](repeating: 65, count: number * round * 1000))
      }
      for (number, client) in clients.enumerated() {
        #expect(try client.readResponse().text == "/\(number) \(number * round * 1000)")
      }
    }
    try served.stop()
  }

  @Test func chunksEndWithTheBody_andAgainWhenAskedAgain() throws {
    let ends = OnLoop(0)
    let served = try Self.serve { request, writer in
      var bytes: [UInt8] = []
      do throws(HTTPServer.RequestBody.Failure) {
        while let more = try await request.body.next() { bytes += more }
        for _ in 1...2 { if try await request.body.next() == nil { ends.value += 1 } }
      } catch {
        Issue.record("\(error)")
      }
      writer.send(.ok, headers: ["X-Trailer": request.body.trailers["T"] ?? "-"], body: bytes)
    }
    let client = try Client(to: served)
    try client.send("PUT / HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n")
    try client.send("3\r\nabc\r\n2\r\nde\r\n0\r\nT: x\r\n\r\n")
    let response = try client.readResponse()
    #expect(response.text == "abcde")
    #expect(response["X-Trailer"] == "x")
    #expect(try served.onLoop { _ in ends.value } == 2)
    try served.stop()
  }

  @Test func aHandlerThatOnlyThrowsSendsTheStatusOfTheBodysFailure() throws {
    let served = try Self.serve { request, _ in
      _ = try? await request.body.readAll(upTo: 10)
    }
    for (body, code) in [
      ("2\r\nabc\r\n", 400), ("g\r\n", 400), ("b\r\nelevenbytes\r\n0\r\n\r\n", 413),
      ("3\r\nabc\r\n0\r\n\r\n", 500),
    ] {
      let client = try Client(to: served)
      try client.send("PUT / HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n\(body)")
      #expect(try client.readResponse().code == code, "\(body)")
    }
    try served.stop()
  }

  /// The operation that a task waits for when its client leaves.
  enum Waiting: CaseIterable, Sendable {
    case body, wholeBody, somethingElse, piece
  }

  @Test(arguments: Waiting.allCases, [true, false])
  func aTaskIsCancelled_whenItsClientVanishesOrTheServerGoes(
    waiting: Waiting, isClient: Bool
  ) throws {
    let begun = OnLoop(0)
    let ended = OnLoop<[Bool]>([])
    let served = try Self.serve { request, writer in
      begun.value += 1
      await Self.wait(waiting, request, writer)
      ended.value.append(Task.isCancelled)
    }
    let client = try Client(to: served, receiveBufferByteCount: 65_536)
    try client.send("PUT / HTTP/1.1\r\nHost: x\r\nContent-Length: 10\r\n\r\nHello")
    try served.waitUntil("the task") { _ in begun.value == 1 }
    try served.settle()
    #expect(try served.onLoop { _ in ended.value } == [])
    if isClient { client.vanish() } else { try served.onLoop { $0.value = nil } }
    try served.waitUntil("the task has ended") { _ in ended.value.count == 1 }
    // The reader of the body may learn of its end before the task does.
    if waiting == .somethingElse {
      #expect(try served.onLoop { _ in ended.value } == [true])
    }
    try served.waitUntil("the connection is gone") { $0.value?.connectionCount ?? 0 == 0 }
    try served.stop()
  }

  private nonisolated(nonsending) static func wait(
    _ waiting: Waiting, _ request: HTTPServer.Request, _ writer: HTTPServer.ResponseWriter
  ) async {
    switch waiting {
    case .body: while let bytes = try? await request.body.next(), !bytes.isEmpty {}
    case .wholeBody: _ = try? await request.body.readAll(upTo: 100)
    case .somethingElse:
      let (stream, continuation) = AsyncStream.makeStream(of: Int.self)
      for await _ in stream {}
      continuation.finish()
    case .piece:
      writer.start(.ok, contentLength: nil)
      let pending = Pending<Void, Never>(on: request.body.core)
      writer.write(IOBuffer(copying: [UInt8](repeating: 65, count: 20_000_000))) { _, _ in
        pending.finish(.success(()))
      }
      await pending.value {}
    }
  }

  @Test func aTaskThatIsCancelledGivesItsBodyUp_andTheNextRequestIsServed() throws {
    let results = OnLoop<[HTTPServer.RequestBody.Failure]>([])
    let task = OnLoop<Task<Void, Never>?>(nil)
    let served = try ServedLoop { request, writer in
      guard request.method == .put else { return writer.send(.ok, body: "next".utf8) }
      task.value = request.body.core.loop.startTask {
        do throws(HTTPServer.RequestBody.Failure) {
          while try await request.body.next() != nil {}
        } catch {
          results.value.append(error)
        }
        writer.send(.ok, body: "given up".utf8)
      }
    }
    let client = try Client(to: served)
    try client.send("PUT / HTTP/1.1\r\nHost: x\r\nContent-Length: 10\r\n\r\nHello")
    try served.waitUntil("the task") { _ in task.value != nil }
    try served.settle()
    try served.onLoop { _ in task.value?.cancel() }
    let response = try client.readResponse()
    #expect(response.text == "given up")
    // The rest of the body is lost, so nothing can follow.
    #expect(response["Connection"] == "close")
    #expect(try client.readToEnd() == [])
    #expect(try served.onLoop { _ in results.value } == [.connectionClosed(.local)])
    try served.onLoop { _ in task.value = nil }
    try served.stop()
  }

  @Test func aTaskGoesOnAfterItsResponse() throws {
    let isDone = OnLoop(0)
    let served = try Self.serve { request, writer in
      writer.send(.ok, body: request.target.utf8)
      await Task.yield()
      if !Task.isCancelled { isDone.value += 1 }
    }
    let client = try Client(to: served)
    for number in 1...5 { #expect(try client.get("/\(number)").text == "/\(number)") }
    try served.waitUntil("all are done") { _ in isDone.value == 5 }
    try served.stop()
  }
}
