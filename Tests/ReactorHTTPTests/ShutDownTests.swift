import Dispatch
import PosixAIO
import Reactor
import Synchronization
import SystemPackage
import TestSupport
import Testing

@testable import ReactorHTTP

@Suite struct ShutDownTests {
  private let writers = OnLoop<[HTTPServer.ResponseWriter]>([])

  @Test func shutDownSendsWhatIsInProgressThenClosesThenCallsOnce() throws {
    let writers = writers
    let served = try ServedLoop { request, writer in
      if request.path == "/now" {
        writer.send(.ok, body: "now".utf8)
      } else {
        writers.value.append(writer)
      }
    }
    let idle = try Client(to: served)
    try idle.send("GET /now HTTP/1.1\r\nHost: x\r\n\r\n")
    #expect(try idle.readResponse()["Connection"] == nil)
    let silent = try Client(to: served)
    let waiting = try Client(to: served)
    try waiting.send("GET /later HTTP/1.1\r\nHost: x\r\n\r\n")
    let streamed = try Client(to: served)
    try streamed.send("GET /stream HTTP/1.1\r\nHost: x\r\n\r\n")
    try served.waitUntil("two requests") { _ in writers.value.count == 2 }
    let counter = Counter()
    try served.onLoop { server in
      writers.value[1].start(.ok, contentLength: 1)
      server.value?.shutDown { counter.add(1) }
      server.value?.shutDown { counter.add(10) }
      #expect(counter.value == 0)
    }
    #expect(throws: Errno.self) {
      _ = try Client(to: served)
    }
    // A kept-alive client may send one more request; its response announces the close.
    try idle.send("GET /now HTTP/1.1\r\nHost: x\r\n\r\n")
    let last = try idle.readResponse()
    #expect(last.text == "now")
    #expect(last["Connection"] == "close")
    #expect(try idle.readToEnd() == [])

    try served.onLoop { _ in
      writers.value[0].send(.ok, body: "later".utf8)
    }
    let response = try waiting.readResponse()
    #expect(response.text == "later")
    #expect(response["Connection"] == "close")
    #expect(try waiting.readToEnd() == [])
    #expect(counter.value == 0)

    try served.onLoop { _ in
      writers.value[1].write(IOBuffer(copying: "x".utf8)) { _, _ in
        writers.value[1].end()
        writers.value = []
      }
    }
    #expect(try streamed.readResponse().text == "x")
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
    let served = try ServedLoop { _, writer in writer.send(.ok) }
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
    let writers = writers
    let served = try ServedLoop { _, writer in
      writer.start(.ok, contentLength: nil)
      writer.write(IOBuffer(copying: [UInt8](repeating: 0, count: 50_000_000))) { _, _ in }
      writers.value.append(writer)
    }
    var client: Client? = try Client(to: served)
    try client?.send("GET / HTTP/1.1\r\nHost: x\r\n\r\n")
    try served.waitUntil("a request") { _ in writers.value.count == 1 }
    let counter = Counter()
    try served.onLoop { $0.value?.shutDown { counter.add(1) } }
    client?.vanish()
    client = nil
    try served.waitUntil("the call was made") { _ in counter.value == 1 }
    try served.onLoop { _ in writers.value = [] }
    try served.stop()
  }

  @Test func shutDownRespondsToEveryClientThatTheKernelHasConnected() throws {
    let served = try ServedLoop { _, writer in writer.send(.ok, body: "x".utf8) }
    let count = 100
    let counter = Counter()
    let clients = OnLoop<[Client]>([])
    // The loop accepts none of them before this has run.
    try served.onLoop { server in
      #expect(throws: Never.self) {
        for _ in 0..<count {
          let client = try Client(to: served)
          clients.value.append(client)
          try client.send("GET / HTTP/1.1\r\nHost: x\r\n\r\n")
        }
      }
      server.value?.shutDown { counter.add(1) }
    }
    #expect(throws: Errno.self) { _ = try Client(to: served) }
    for client in clients.value {
      let response = try client.readResponse()
      #expect(response.text == "x")
      #expect(response["Connection"] == "close")
    }
    try served.waitUntil("the call was made") { _ in counter.value == 1 }
    try served.stop()
  }

  @Test func stopAcceptingRefusesNewClientsAndServesTheOthers() throws {
    let served = try ServedLoop { _, writer in writer.send(.ok, body: "x".utf8) }
    let client = try Client(to: served)
    try client.send("GET / HTTP/1.1\r\nHost: x\r\n\r\n")
    #expect(try client.readResponse().text == "x")
    try served.onLoop { server in
      server.value?.stopAccepting()
      server.value?.stopAccepting()
    }
    #expect(throws: Errno.self) { _ = try Client(to: served) }
    try client.send("GET / HTTP/1.1\r\nHost: x\r\n\r\n")
    #expect(try client.readResponse()["Connection"] == nil)
    let address = served.address
    try served.onLoop { server in
      #expect(throws: Never.self) {
        try server.value?.listen(host: address.host, port: address.port)
      }
    }
    let other = try Client(to: served)
    try other.send("GET / HTTP/1.1\r\nHost: x\r\n\r\n")
    #expect(try other.readResponse().text == "x")
    try served.stop()
  }
}

private struct WeakServer {
  weak var server: HTTPServer?
}

/// A counter that several threads use.
final class Counter: Sendable {
  private let number = Mutex(0)

  var value: Int { number.withLock { $0 } }

  func add(_ amount: Int) {
    number.withLock { $0 += amount }
  }
}
