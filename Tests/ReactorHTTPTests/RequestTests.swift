import PosixAIO
import Reactor
import Synchronization
import TestSupport
import Testing

@testable import ReactorHTTP

@Suite struct RequestTests {
  @Test func aRequestIsPassedOnAsItWasSent() throws {
    let served = try ServedLoop { request, responder in
      let text = """
        \(request.method) \(request.target) \(request.path) \(request.query ?? "-") \
        \(request.headers["hOST"] ?? "-") \(request.headers.values(of: "x").joined(separator: ","))
        """
      #expect(request.remoteHost == "127.0.0.1")
      responder.send(
        .ok, headers: ["X-Port": "\(request.remotePort)"], body: text.utf8)
    }
    let client = try Client(to: served)
    try client.send("DELETE /a%20b//c?d=%2F&e HTTP/1.1\r\nHost: h:1\r\nX: 1\r\nx:  2 \r\n\r\n")
    let answer = try client.readAnswer()
    #expect(answer.text == "DELETE /a%20b//c?d=%2F&e /a%20b//c d=%2F&e h:1 1,2")
    #expect(answer["X-Port"] == "\(client.localPort)")
    try served.stop()
  }

  @Test(arguments: [
    ("//a/b?c", "//a/b", "c"), ("/", "/", nil), ("/?", "/", ""), ("/a#b?c", "/a", nil),
    ("http://host/a?b", "/a", "b"), ("http://host", "/", nil), ("*", "*", nil),
    ("/../%2e%2e/a", "/../%2e%2e/a", nil), ("/a?b?c", "/a", "b?c"),
  ])
  func pathAndQueryAreTheTargets(target: String, path: String, query: String?) throws {
    let served = try ServedLoop { request, responder in
      responder.send(.ok, body: "\(request.path) \(request.query ?? "none")".utf8)
    }
    let client = try Client(to: served)
    try client.send("GET \(target) HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n")
    #expect(try client.readAnswer().text == "\(path) \(query ?? "none")")
    try served.stop()
  }

  @Test(arguments: [
    "GET", "POST", "PUT", "DELETE", "OPTIONS", "TRACE", "PATCH", "BREW", "get", "PROPFIND",
  ])
  func everyMethodReachesTheHandler(method: String) throws {
    let served = try ServedLoop { request, responder in
      responder.send(.methodNotAllowed, headers: ["Allow": "GET"], body: request.method.name.utf8)
    }
    let client = try Client(to: served)
    for _ in 1...2 {
      try client.send("\(method) / HTTP/1.1\r\n\r\n")
      let answer = try client.readAnswer()
      #expect(answer.code == 405)
      #expect(answer["Allow"] == "GET")
      let isUnknown = ["BREW", "get", "PROPFIND"].contains(method)
      #expect(answer.text == (isUnknown ? "" : method))
    }
    try served.stop()
  }

  @Test(arguments: ["BREW", "HEAD"])
  func theBodyOfAMethodWithoutOneIsNeverTakenForARequest(method: String) throws {
    let handled = Mutex(0)
    let served = try ServedLoop { _, responder in
      handled.withLock { $0 += 1 }
      responder.send(.ok, headers: ["Connection": "keep-alive"])
    }
    let client = try Client(to: served)
    let hidden = "GET /hidden HTTP/1.1\r\n\r\n"
    try client.send("\(method) / HTTP/1.1\r\nContent-Length: \(hidden.utf8.count)\r\n\r\n\(hidden)")
    let answer = try client.readAnswer(to: method)
    #expect(answer["Connection"] == "close")
    #expect(try client.readToEnd() == [])
    #expect(handled.withLock { $0 } == 1)
    try served.stop()
  }

  @Test func aBodyIsTakenOutInPieces() throws {
    var configuration = HTTPServer.Configuration()
    configuration.maximumBodyByteCount = 5_000_000
    let served = try ServedLoop(configuration) { request, responder in
      var buffer = IOBuffer(capacity: 100_000)
      var taken: [UInt8] = []
      var left = request.body.byteCount
      while request.body.read(into: &buffer) > 0 {
        taken += Array(buffer)
        left -= buffer.count
        #expect(request.body.byteCount == left)
        buffer.removeAll()
      }
      #expect(left == 0)
      #expect(request.body.readAll().count == 0)
      responder.send(taken == pattern(taken.count) ? .ok : .badRequest, body: "\(taken.count)".utf8)
    }
    let client = try Client(to: served)
    for byteCount in [0, 1, 100_000, 5_000_000] {
      try client.send("PUT / HTTP/1.1\r\nContent-Length: \(byteCount)\r\n\r\n")
      try client.send(pattern(byteCount))
      let answer = try client.readAnswer()
      #expect(answer.code == 200)
      #expect(answer.text == "\(byteCount)")
    }
    try served.stop()
  }

  @Test func aChunkedBodyArrivesWhole() throws {
    let served = try ServedLoop { request, responder in
      responder.send(.ok, body: Array(request.body.readAll()))
    }
    let client = try Client(to: served)
    for _ in 1...2 {
      try client.send("POST / HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\n")
      try client.send("5\r\nHello\r\n1\r\n \r\n00005;x=1\r\n".replacing(";x=1", with: " ;x=1"))
      try client.send("world\r\n0\r\nX-Trailer: 1\r\n\r\n")
      #expect(try client.readAnswer().text == "Hello world")
    }
    try served.stop()
  }

  @Test func aBodyOutlivesItsConnection() throws {
    let body = OnLoop<HTTPBody?>(nil)
    let responderBox = OnLoop<HTTPResponder?>(nil)
    let served = try ServedLoop { request, responder in
      body.value = request.body
      responder.start(.ok, contentLength: nil)
      responder.write(IOBuffer(copying: "x".utf8)) { _, _ in }
      responderBox.value = responder
    }
    let client = try Client(to: served)
    try client.send("PUT / HTTP/1.1\r\nContent-Length: 5\r\n\r\nHello")
    _ = try client.read(through: "x\r\n")
    try served.onLoop { _ in responderBox.value?.cut() }
    _ = try client.readToEnd()
    try served.waitUntil("the connection is gone") { $0.value?.connectionCount == 0 }
    let text = try served.onLoop { _ in body.value.map { String(decoding: $0.readAll()) } }
    #expect(text == "Hello")
    try served.onLoop { _ in
      body.value = nil
      responderBox.value = nil
    }
    try served.stop()
  }

  @Test func aClientThatAsksWhetherToSendIsTold() throws {
    let served = try ServedLoop { request, responder in
      responder.send(.ok, body: Array(request.body.readAll()))
    }
    let client = try Client(to: served)
    for _ in 1...2 {
      try client.send("PUT / HTTP/1.1\r\nExpect: 100-continue\r\nContent-Length: 5\r\n\r\n")
      #expect(try client.read(through: "\r\n\r\n") == "HTTP/1.1 100 Continue\r\n\r\n")
      try client.send("Hello")
      #expect(try client.readAnswer().text == "Hello")
    }
    try client.send("PUT / HTTP/1.1\r\nExpect: miracles\r\nContent-Length: 5\r\n\r\nHello")
    #expect(try client.readAnswer().code == 417)
    #expect(try client.readToEnd() == [])
    try served.stop()
  }

  @Test func aClientOnIPv6IsServed() throws {
    guard
      let served = try? ServedLoop(
        host: "::1",
        { request, responder in
          responder.send(.ok, body: request.remoteHost.utf8)
        })
    else { return }
    #expect("\(served.address)" == "[::1]:\(served.address.port)")
    let client = try Client(to: served)
    try client.send("GET / HTTP/1.1\r\n\r\n")
    #expect(try client.readAnswer().text == "::1")
    try served.stop()
  }
}
