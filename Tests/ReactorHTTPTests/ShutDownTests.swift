import Dispatch
import PosixAIO
import Reactor
import Synchronization
import SystemPackage
import TestSupport
import Testing

@testable import ReactorHTTP

@Suite struct ShutDownTests {
  private let responders = OnLoop<[HTTPServer.ResponseWriter]>([])

  @Test func shutDownSendsWhatIsInProgressThenClosesThenCallsOnce() throws {
    let responders = responders
    let served = try ServedLoop { request, responder in
      if request.path == "/now" {
        responder.send(.ok, body: "now".utf8)
      } else {
        responders.value.append(responder)
      }
    }
    let idle = try Client(to: served)
    try idle.send("GET /now HTTP/1.1\r\nHost: x\r\n\r\n")
    #expect(try idle.readAnswer()["Connection"] == nil)
    let silent = try Client(to: served)
    let waiting = try Client(to: served)
    try waiting.send("GET /later HTTP/1.1\r\nHost: x\r\n\r\n")
    let streamed = try Client(to: served)
    try streamed.send("GET /stream HTTP/1.1\r\nHost: x\r\n\r\n")
    try served.waitUntil("two requests") { _ in responders.value.count == 2 }
    let counter = Counter()
    try served.onLoop { server in
      responders.value[1].start(.ok, contentLength: 1)
      server.value?.shutDown { counter.add(1) }
      server.value?.shutDown { counter.add(10) }
      #expect(counter.value == 0)
    }
    #expect(throws: Errno.self) {
      _ = try Client(to: served)
    }
    // A kept-alive client may still ask, and is told that it was the last time.
    try idle.send("GET /now HTTP/1.1\r\nHost: x\r\n\r\n")
    let last = try idle.readAnswer()
    #expect(last.text == "now")
    #expect(last["Connection"] == "close")
    #expect(try idle.readToEnd() == [])

    try served.onLoop { _ in
      responders.value[0].send(.ok, body: "later".utf8)
    }
    let answer = try waiting.readAnswer()
    #expect(answer.text == "later")
    #expect(answer["Connection"] == "close")
    #expect(try waiting.readToEnd() == [])
    #expect(counter.value == 0)

    try served.onLoop { _ in
      responders.value[1].write(IOBuffer(copying: "x".utf8)) { _, _ in
        responders.value[1].end()
        responders.value = []
      }
    }
    #expect(try streamed.readAnswer().text == "x")
    #expect(try streamed.readToEnd() == [])
    #expect(try silent.readToEnd() == [])
    try served.waitUntil("both calls were made") { _ in counter.value == 11 }
    try served.onLoop { server in
      server.value?.shutDown { counter.add(100) }
    }
    try served.waitUntil("a late call was made") { _ in counter.value == 111 }
    try served.stop()
    #expect(counter.value == 111)
  }

  @Test func shutDownOfAnIdleServerCallsBackAndTheServerMayGoThere() throws {
    let served = try ServedLoop { _, responder in responder.send(.ok) }
    let done = DispatchSemaphore(value: 0)
    let weakServer = OnLoop(WeakServer())
    try served.onLoop { server in
      weakServer.value.server = server.value
      server.value?.shutDown {
        server.value = nil
        done.signal()
      }
      #expect(server.value != nil)
    }
    try done.waitOrFail("no call")
    #expect(try served.onLoop { _ in weakServer.value.server == nil })
    try served.stop()
  }

  @Test func shutDownIsNotHeldUpByAClientThatGoes() throws {
    let responders = responders
    let served = try ServedLoop { _, responder in
      responder.start(.ok, contentLength: nil)
      responder.write(IOBuffer(copying: [UInt8](repeating: 0, count: 50_000_000))) { _, _ in }
      responders.value.append(responder)
    }
    var client: Client? = try Client(to: served)
    try client?.send("GET / HTTP/1.1\r\nHost: x\r\n\r\n")
    try served.waitUntil("a request") { _ in responders.value.count == 1 }
    let counter = Counter()
    try served.onLoop { $0.value?.shutDown { counter.add(1) } }
    client?.vanish()
    client = nil
    try served.waitUntil("the call was made") { _ in counter.value == 1 }
    try served.onLoop { _ in responders.value = [] }
    try served.stop()
  }

  @Test func stopAcceptingRefusesNewClientsAndServesTheOthers() throws {
    let served = try ServedLoop { _, responder in responder.send(.ok, body: "x".utf8) }
    let client = try Client(to: served)
    try client.send("GET / HTTP/1.1\r\nHost: x\r\n\r\n")
    #expect(try client.readAnswer().text == "x")
    try served.onLoop { server in
      server.value?.stopAccepting()
      server.value?.stopAccepting()
    }
    #expect(throws: Errno.self) { _ = try Client(to: served) }
    try client.send("GET / HTTP/1.1\r\nHost: x\r\n\r\n")
    #expect(try client.readAnswer()["Connection"] == nil)
    let address = served.address
    try served.onLoop { server in
      #expect(throws: Never.self) {
        try server.value?.listen(host: address.host, port: address.port)
      }
    }
    let other = try Client(to: served)
    try other.send("GET / HTTP/1.1\r\nHost: x\r\n\r\n")
    #expect(try other.readAnswer().text == "x")
    try served.stop()
  }
}

private struct WeakServer {
  weak var server: HTTPServer?
}

/// A number that several threads see.
final class Counter: Sendable {
  private let number = Mutex(0)

  var value: Int { number.withLock { $0 } }

  func add(_ amount: Int) {
    number.withLock { $0 += amount }
  }
}
