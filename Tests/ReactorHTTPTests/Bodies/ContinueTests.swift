import PosixAIO
import TestSupport
import Testing

@testable import ReactorHTTP

/// `Expect: 100-continue`, in every order of the steps of client and handler.
@Suite struct ContinueTests {
  private static let interim = "HTTP/1.1 100 Continue\r\n\r\n"

  private static func head(
    _ target: String, _ more: String = "", version: String = "1.1"
  ) -> String {
    "PUT \(target) HTTP/\(version)\r\nHost: x\r\nExpect: 100-continue\r\n"
      + "Content-Length: 5\r\n\(more)\r\n"
  }

  /// Requests that their handler keeps.
  private final class Kept {
    var requests: [(HTTPServer.Request, HTTPServer.ResponseWriter)] = []

    func readFirst() {
      let (request, writer) = requests.removeFirst()
      request.body.readAll(upTo: 100) { result in
        switch result {
        case .success(let bytes): writer.send(.ok, body: bytes)
        case .failure(let failure): writer.send(failure.status)
        }
      }
    }
  }

  private let kept = OnLoop(Kept())

  /// `/now` is read immediately, `/later` when the test requests it, and `/refused` never.
  private func serve() throws -> ServedLoop {
    let kept = kept
    return try ServedLoop { request, writer in
      if request.path == "/refused" { return writer.send(.forbidden, body: "no".utf8) }
      kept.value.requests.append((request, writer))
      if request.path == "/now" { kept.value.readFirst() }
    }
  }

  private func waitForRequest(_ served: ServedLoop) throws {
    let kept = kept
    try served.waitUntil("the request") { _ in kept.value.requests.count == 1 }
  }

  @Test func aWaitingClientGets100InTheTurnInWhichTheHandlerReads() throws {
    let served = try serve()
    let client = try Client(to: served)
    let kept = kept
    for _ in 1...2 {
      try client.send(Self.head("/later"))
      try waitForRequest(served)
      try served.settle()
      #expect(!client.hasReceivedSomething)
      try served.onLoop { _ in kept.value.readFirst() }
      #expect(try client.read(through: "\r\n\r\n") == Self.interim)
      try client.send("Hello")
      #expect(try client.readResponse().text == "Hello")
    }
    try served.stop()
  }

  @Test(arguments: ["/now", "/later"])
  func aClientThatDoesNotWaitGetsTheResponse(target: String) throws {
    let served = try serve()
    let client = try Client(to: served)
    let kept = kept
    for _ in 1...2 {
      try client.send(Self.head(target) + "Hello")
      if target == "/later" {
        try waitForRequest(served)
        try served.onLoop { _ in kept.value.readFirst() }
      }
      var response = try client.readResponse()
      if response.code == 100 { response = try client.readResponse() }
      #expect(response.text == "Hello")
    }
    try served.stop()
  }

  @Test(arguments: [true, false])
  func aRefusalIsTheOnlyResponse_andEndsTheConnection(sendsBody: Bool) throws {
    let served = try serve()
    let client = try Client(to: served)
    try client.send(Self.head("/refused") + (sendsBody ? "Hello" : ""))
    let response = try client.readResponse()
    #expect(response.code == 403)
    // Whether the body will come is unknown, so nothing can follow.
    #expect(response["Connection"] == "close")
    #expect(response.text == "no")
    #expect(try client.readToEnd() == [])
    try served.stop()
  }

  @Test func aRequestAfterARefusedBodyIsNoRequest() throws {
    let served = try serve()
    let client = try Client(to: served)
    try client.send(Self.head("/refused") + "Hello" + Self.head("/now") + "Hello")
    #expect(try client.readResponse().code == 403)
    #expect(try client.readToEnd() == [])
    try served.stop()
  }

  @Test func aHandlerThatBeginsItsResponseFirstGetsTheBodyWithoutAContinue() throws {
    let served = try ServedLoop { request, writer in
      writer.start(.ok, contentLength: nil)
      request.body.readAll(upTo: 100) { result in
        if case .success(let bytes) = result { writer.write(IOBuffer(copying: bytes)) { _, _ in } }
        writer.end()
      }
    }
    let client = try Client(to: served)
    try client.send(Self.head("/") + "Hello")
    let response = try client.readResponse()
    #expect(response.code == 200)
    #expect(response.text == "Hello")
    try served.stop()
  }

  @Test func aClientOfHTTP10GetsNo100() throws {
    let served = try serve()
    let client = try Client(to: served)
    try client.send(Self.head("/later", version: "1.0"))
    try waitForRequest(served)
    let kept = kept
    try served.onLoop { _ in kept.value.readFirst() }
    try served.settle()
    #expect(!client.hasReceivedSomething)
    try client.send("Hello")
    #expect(try client.readResponse().text == "Hello")
    #expect(try client.readToEnd() == [])
    try served.stop()
  }

  @Test func anExpectationWithoutABodyNeedsNoContinue() throws {
    let served = try serve()
    let client = try Client(to: served)
    for target in ["/now", "/refused", "/now"] {
      try client.send(
        "PUT \(target) HTTP/1.1\r\nHost: x\r\nExpect: 100-continue\r\nContent-Length: 0\r\n\r\n")
      let response = try client.readResponse()
      #expect(response.code == (target == "/now" ? 200 : 403))
      #expect(response["Connection"] == nil)
    }
    try served.stop()
  }

  @Test(arguments: [true, false])
  func aClientThatLeavesAfterIts100FailsTheBody(isReset: Bool) throws {
    let served = try serve()
    let client = try Client(to: served)
    try client.send(Self.head("/now"))
    #expect(try client.read(through: "\r\n\r\n") == Self.interim)
    if isReset { client.vanish() } else { client.finishSending() }
    if !isReset {
      #expect(try client.readResponse().code == 400)
      #expect(try client.readToEnd() == [])
    }
    try served.waitUntil("the connection is gone") { $0.value?.connectionCount == 0 }
    try served.stop()
  }
}
