import PosixAIO
import ReactorHTTP
import Testing

@Suite struct AnswerTests {
  @Test func aSmallAnswerHasItsLengthAndADateAndNoTypeOfItsOwn() throws {
    let served = try ServedLoop { _, responder in
      responder.send(.ok, headers: ["X-One": "1"], body: "Hello".utf8)
    }
    let client = try RawClient(served.address)
    client.send("GET / HTTP/1.1\r\nHost: x\r\n\r\n")
    let answer = try client.readAnswer()
    #expect(answer.statusLine == "HTTP/1.1 200 OK")
    #expect(answer.text == "Hello")
    #expect(answer["Content-Length"] == "5")
    #expect(answer["X-One"] == "1")
    #expect(answer["Date"].flatMap { HTTPDate($0) } != nil)
    #expect(answer["Content-Type"] == nil)
    try served.stop()
  }
}
