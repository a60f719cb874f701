import Glibc
import PosixAIO
import TestSupport
import Testing

@testable import ReactorHTTP

@Suite struct DateTests {
  @Test(arguments: [
    (784_111_777, "Sun, 06 Nov 1994 08:49:37 GMT"), (0, "Thu, 01 Jan 1970 00:00:00 GMT"),
    (-1, "Wed, 31 Dec 1969 23:59:59 GMT"), (951_782_400, "Tue, 29 Feb 2000 00:00:00 GMT"),
    (4_107_542_399, "Sun, 28 Feb 2100 23:59:59 GMT"),
    (4_107_542_400, "Mon, 01 Mar 2100 00:00:00 GMT"),
    (253_402_300_799, "Fri, 31 Dec 9999 23:59:59 GMT"),
    (-62_135_596_800, "Mon, 01 Jan 0001 00:00:00 GMT"),
  ])
  func aDateIsWrittenAndReadBack(seconds: Int64, text: String) {
    #expect(HTTPDate(secondsSinceEpoch: seconds).description == text)
    #expect(HTTPDate(text)?.secondsSinceEpoch == seconds)
  }

  @Test func theThreeFormsOfTheStandardAreRead() {
    let date = HTTPDate(secondsSinceEpoch: 784_111_777)
    #expect(HTTPDate("Sunday, 06-Nov-94 08:49:37 GMT") == date)
    #expect(HTTPDate("Sun Nov  6 08:49:37 1994") == date)
    #expect(HTTPDate("Monday, 02-Jan-68 00:00:00 GMT") ?? date > date)
  }

  @Test(arguments: [
    "", "Sun", "Sun, 06 Nov 1994 08:49:37", "Sun, 06 Nov 1994 24:00:00 GMT",
    "Sun, 31 Feb 1994 00:00:00 GMT", "Sun, 00 Feb 1994 00:00:00 GMT", "Sun, 06 Nov 94 GMT",
    "Sun, 06 Nox 1994 08:49:37 GMT", "Sun, 06 Nov 1994 08:60:37 GMT",
    "Sun, 06 Nov 0000 08:00:37 GMT",
    "Sun, 06 Nov 1994 08:49:37 CET", "Sun, 99999999999 Nov 1994 08:49:37 GMT",
    "Sun, -6 Nov 1994 1:1:1 GMT",
    "Sun, 06 Nov +994 08:49:37 GMT", "1994-11-06T08:49:37Z",
  ])
  func otherTextIsNoDate(text: String) {
    #expect(HTTPDate(text) == nil)
  }

  @Test func daysOf800YearsAgreeWithTheCLibrary() {
    for day in stride(from: Int64(-146_097), to: 146_097, by: 13) {
      var time = time_t(day * 86_400 + 12_345)
      var parts = unsafe tm()
      unsafe gmtime_r(&time, &parts)
      let text = HTTPDate(secondsSinceEpoch: Int64(time)).description
      let day = unsafe String(parts.tm_mday)
      let year = unsafe String(parts.tm_year + 1900)
      let expected = "\(day.count < 2 ? "0" : "")\(day) "
      guard text.dropFirst(5).hasPrefix(expected), text.contains(" \(year) 03:25:45 GMT"),
        HTTPDate(text)?.secondsSinceEpoch == Int64(time)
      else {
        Issue.record("\(time): \(text)")
        return
      }
    }
  }

  @Test func datesThatHTTPCanNotWriteBecomeTheNearestThatItCan() {
    #expect(HTTPDate(secondsSinceEpoch: .max).description == "Fri, 31 Dec 9999 23:59:59 GMT")
    #expect(HTTPDate(secondsSinceEpoch: .min).description == "Mon, 01 Jan 0001 00:00:00 GMT")
  }
}

@Suite struct FieldsTests {
  @Test func namesAreComparedWithoutCaseAndOrderIsKept() {
    var fields: HeaderFields = ["B": "1", "a": "2", "b": "3"]
    #expect(fields["b"] == "1")
    #expect(fields.values(of: "B") == ["1", "3"])
    #expect(fields.map(\.name) == ["B", "a", "b"])
    fields["B"] = "4"
    #expect(fields.map(\.value) == ["2", "4"])
    fields["A"] = nil
    #expect(fields.count == 1)
    #expect(fields["a"] == nil)
    #expect("\(fields)" == "B: 4")
    #expect(fields.contains("b") && !fields.contains("a") && !fields.contains(""))
  }

  @Test func aNameInAValueIsNoName() {
    let fields: HeaderFields = ["A": "B: c", "Bb": "", "B": "\u{e4}"]
    #expect(fields["B"] == "\u{e4}")
    #expect(fields.values(of: "bb") == [""])
    #expect(fields.map(\.value) == ["B: c", "", "\u{e4}"])
    #expect(fields != ["A": "B: c", "Bb": "", "b": "\u{e4}"])
  }

  @Test func manyLinesStandInTheirOrder() {
    var fields = HeaderFields()
    for number in 0..<1000 { fields.add("N\(number % 10)", "\(number)") }
    fields["n3"] = nil
    #expect(fields.count == 900)
    #expect(fields.values(of: "n4") == (0..<100).map { "\($0 * 10 + 4)" })
    #expect(fields["N3"] == nil)
  }
}

@Suite struct WrongUseTests {
  @Test func aNameThatIsNoTokenTraps() async {
    await #expect(processExitsWith: .failure) { _ = ["a b": "c"] as HeaderFields }
    await #expect(processExitsWith: .failure) { _ = ["": "c"] as HeaderFields }
  }

  @Test func aStatusWithoutThreeDigitsTraps() async {
    await #expect(processExitsWith: .failure) { _ = HTTPStatus(99) }
  }

  @Test func aSecondResponseTraps() async {
    await #expect(processExitsWith: .failure) {
      try serveOnce { writer in
        writer.send(.ok)
        writer.send(.ok)
      }
    }
  }

  @Test func aStartAfterAResponseTraps() async {
    await #expect(processExitsWith: .failure) {
      try serveOnce { writer in
        writer.send(.ok)
        writer.start(.ok, contentLength: nil)
      }
    }
  }

  @Test func aWriteAfterTheEndTraps() async {
    await #expect(processExitsWith: .failure) {
      try serveOnce { writer in
        writer.start(.ok, contentLength: nil)
        writer.end()
        writer.write(IOBuffer(copying: [1])) { _, _ in }
      }
    }
  }

  @Test func moreBytesThanTheLengthTrap() async {
    await #expect(processExitsWith: .failure) {
      try serveOnce { writer in
        writer.start(.ok, contentLength: 1)
        writer.write(IOBuffer(copying: [1, 2])) { _, _ in }
      }
    }
  }

  @Test func anEndWithoutAStartTraps() async {
    await #expect(processExitsWith: .failure) { try serveOnce { $0.end() } }
  }

  @Test func aLengthAmongTheHeadersTraps() async {
    await #expect(processExitsWith: .failure) {
      try serveOnce { $0.send(.ok, headers: ["content-length": "1"]) }
    }
  }

  @Test func anInterimStatusTraps() async {
    await #expect(processExitsWith: .failure) { try serveOnce { $0.send(HTTPStatus(100)) } }
  }

  @Test func aResponseOffTheLoopsThreadTraps() async {
    await #expect(processExitsWith: .failure) {
      let held = OnLoop<HTTPServer.ResponseWriter?>(nil)
      let served = try ServedLoop { _, writer in held.value = writer }
      let client = try Client(to: served)
      try client.send("GET / HTTP/1.1\r\nHost: x\r\n\r\n")
      try served.waitUntil("a request") { _ in held.value != nil }
      held.value?.send(.ok)
    }
  }

  @Test func theSameCallsInTheRightOrderDoNotTrap() async {
    await #expect(processExitsWith: .success) {
      try serveOnce { writer in
        writer.start(.ok, contentLength: 1)
        writer.write(IOBuffer(copying: [1])) { _, _ in }
        writer.end()
      }
    }
  }

  @Test func writingToAClientThatIsGoneDoesNotEndTheProcess() async {
    await #expect(processExitsWith: .success) {
      let served = try ServedLoop { _, writer in
        writer.start(.ok, contentLength: nil)
        streamPattern(writer, from: 0, to: 100_000_000, pieceByteCount: 1_000_000)
      }
      let client = try Client(to: served)
      try client.send("GET / HTTP/1.1\r\nHost: x\r\n\r\n")
      _ = try client.read(through: "\r\n\r\n")
      client.vanish()
      try served.waitUntil("the connection is gone") { $0.value?.connectionCount == 0 }
      try served.stop()
    }
  }
}

/// Serves one request with `body`, and waits for its response.
private func serveOnce(_ body: @escaping @Sendable (HTTPServer.ResponseWriter) -> Void) throws {
  let served = try ServedLoop { _, writer in body(writer) }
  let client = try Client(to: served)
  try client.send("GET / HTTP/1.1\r\nHost: x\r\n\r\n")
  _ = try client.read(through: "\r\n\r\n")
  try served.stop()
}
