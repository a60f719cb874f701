import PosixAIO
import Reactor
import Synchronization
import TestSupport
import Testing

@testable import ReactorHTTP

@Suite struct RequestTests {
  @Test func aRequestIsPassedOnAsItWasSent() throws {
    let served = try ServedLoop { request, writer in
      let text = """
        \(request.method) \(request.target) \(request.path) \(request.query ?? "-") \
        \(request.headers["hOST"] ?? "-") \(request.headers.values(of: "x").joined(separator: ","))
        """
      #expect(request.peerAddress.host == "127.0.0.1")
      writer.send(
        .ok, headers: ["X-Port": "\(request.peerAddress.port)"], body: text.utf8)
    }
    let client = try Client(to: served)
    try client.send("DELETE /a%20b//c?d=%2F&e HTTP/1.1\r\nHost: h:1\r\nX: 1\r\nx:  2 \r\n\r\n")
    let response = try client.readResponse()
    #expect(response.text == "DELETE /a%20b//c?d=%2F&e /a%20b//c d=%2F&e h:1 1,2")
    #expect(response["X-Port"] == "\(client.localPort)")
    try served.stop()
  }

  @Test(arguments: [
    ("//a/b?c", "//a/b", "c"), ("/", "/", nil), ("/?", "/", ""), ("/a#b?c", "/a", nil),
    ("http://host/a?b", "/a", "b"), ("http://host", "/", nil),
    ("/../%2e%2e/a", "/../%2e%2e/a", nil), ("/a?b?c", "/a", "b?c"),
  ])
  func pathAndQueryAreTheTargets(target: String, path: String, query: String?) throws {
    let served = try ServedLoop { request, writer in
      writer.send(.ok, body: "\(request.path) \(request.query ?? "none")".utf8)
    }
    let client = try Client(to: served)
    try client.send("GET \(target) HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n")
    #expect(try client.readResponse().text == "\(path) \(query ?? "none")")
    try served.stop()
  }

  @Test(arguments: [
    "GET", "POST", "PUT", "DELETE", "OPTIONS", "TRACE", "PATCH", "BREW", "get", "PROPFIND",
  ])
  func everyMethodReachesTheHandler(method: String) throws {
    let served = try ServedLoop { request, writer in
      writer.send(.methodNotAllowed, headers: ["Allow": "GET"], body: request.method.name.utf8)
    }
    let client = try Client(to: served)
    for _ in 1...2 {
      try client.send("\(method) / HTTP/1.1\r\nHost: x\r\n\r\n")
      let response = try client.readResponse()
      #expect(response.code == 405)
      #expect(response["Allow"] == "GET")
      #expect(response.text == method)
    }
    try served.stop()
  }

  @Test(arguments: ["BREW", "HEAD"])
  func aBodyThatIsNotReadIsNeverTakenForARequest(method: String) throws {
    let handled = Mutex(0)
    let served = try ServedLoop { _, writer in
      handled.withLock { $0 += 1 }
      writer.send(.ok)
    }
    let client = try Client(to: served)
    let hidden = "GET /hidden HTTP/1.1\r\nHost: x\r\n\r\n"
    try client.send("\(method) / HTTP/1.1\r\nHost: x\r\n")
    try client.send("Content-Length: \(hidden.utf8.count)\r\n\r\n\(hidden)")
    #expect(try client.readResponse(to: method).code == 200)
    try client.send("GET /next HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n")
    #expect(try client.readResponse().code == 200)
    #expect(try client.readToEnd() == [])
    #expect(handled.withLock { $0 } == 2)
    try served.stop()
  }

  @Test func aBodyArrivesPieceByPiece() throws {
    let served = try ServedLoop { request, writer in
      collect(request.body) { bytes in
        let isRight = bytes == pattern(bytes.count) && request.body.isComplete
        #expect(request.body.receivedByteCount == bytes.count)
        writer.send(isRight ? .ok : .badRequest, body: "\(bytes.count)".utf8)
      }
    }
    let client = try Client(to: served)
    for byteCount in [0, 1, 100_000, 5_000_000] {
      try client.send("PUT / HTTP/1.1\r\nHost: x\r\nContent-Length: \(byteCount)\r\n\r\n")
      try client.send(pattern(byteCount))
      let response = try client.readResponse()
      #expect(response.code == 200)
      #expect(response.text == "\(byteCount)")
    }
    try served.stop()
  }

  @Test func aChunkedBodyArrivesWhole_andItsTrailersApart() throws {
    let served = try ServedLoop { request, writer in
      request.body.readAll(upTo: 100) { result in
        guard case .success(let bytes) = result else { return writer.send(.badRequest) }
        let trailer = request.body.trailers["X-Trailer"] ?? "none"
        writer.send(.ok, headers: ["X-Seen": trailer], body: bytes)
      }
    }
    let client = try Client(to: served)
    for _ in 1...2 {
      try client.send("POST / HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n")
      try client.send("5\r\nHello\r\n1\r\n \r\n00005;x=1\r\n")
      try client.send("world\r\n0\r\nX-Trailer: 1\r\n\r\n")
      let response = try client.readResponse()
      #expect(response.text == "Hello world")
      #expect(response["X-Seen"] == "1")
    }
    try served.stop()
  }

  @Test func aBodyOutlivesItsConnection() throws {
    let body = OnLoop<HTTPServer.RequestBody?>(nil)
    let failures = OnLoop<[HTTPServer.RequestBody.Failure]>([])
    let served = try ServedLoop { request, writer in
      body.value = request.body
      writer.start(.ok, contentLength: nil)
      writer.cut()
    }
    let client = try Client(to: served)
    try client.send("PUT / HTTP/1.1\r\nHost: x\r\nContent-Length: 5\r\n\r\nHel")
    _ = try client.readToEnd()
    try served.waitUntil("the connection is gone") { $0.value?.connectionCount == 0 }
    try served.onLoop { _ in
      body.value?.next { result in
        if case .failure(let failure) = result { failures.value.append(failure) }
      }
    }
    try served.waitUntil("the failure") { _ in failures.value == [.connectionClosed(.local)] }
    try served.onLoop { _ in body.value = nil }
    try served.stop()
  }

  @Test func aClientThatExpects100GetsIt() throws {
    let served = try ServedLoop { request, writer in
      collect(request.body) { writer.send(.ok, body: $0) }
    }
    let client = try Client(to: served)
    for _ in 1...2 {
      try client.send("PUT / HTTP/1.1\r\nHost: x\r\nExpect: 100-continue\r\n")
      try client.send("Content-Length: 5\r\n\r\n")
      #expect(try client.read(through: "\r\n\r\n") == "HTTP/1.1 100 Continue\r\n\r\n")
      try client.send("Hello")
      #expect(try client.readResponse().text == "Hello")
    }
    try client.send("PUT / HTTP/1.1\r\nHost: x\r\nExpect: miracles\r\n")
    try client.send("Content-Length: 5\r\n\r\nHello")
    #expect(try client.readResponse().code == 417)
    #expect(try client.readToEnd() == [])
    try served.stop()
  }

  @Test func aClientOnIPv6IsServed() throws {
    guard
      let served = try? ServedLoop(
        host: "::1",
        { request, writer in
          writer.send(.ok, body: request.peerAddress.host.utf8)
        })
    else { return }
    #expect("\(served.address)" == "[::1]:\(served.address.port)")
    let client = try Client(to: served)
    try client.send("GET / HTTP/1.1\r\nHost: x\r\n\r\n")
    #expect(try client.readResponse().text == "::1")
    try served.stop()
  }
}

/// Reads a body piece by piece.
func collect(
  _ body: HTTPServer.RequestBody, _ former: [UInt8] = [], _ done: @escaping ([UInt8]) -> Void
) {
  body.next { result in
    switch result {
    case .failure(let failure): Issue.record("\(failure)")
    case .success(nil): done(former)
    case .success(let bytes?): collect(body, former + bytes, done)
    }
  }
}
