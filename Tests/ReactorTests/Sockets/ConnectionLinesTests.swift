import PosixAIO
import Reactor
import SystemPackage
import TestSupport
import XCTest

final class ConnectionLinesTests: SocketTaskTestCase {
  func test_linesArriveInOrder_howeverTheirBytesAreSplit() throws {
    let long = String(repeating: "x", count: 50_000)
    let expected = ["one", "", "\r", "four\r", long, "last"]
    let text = expected.joined(separator: "\n")
    for byteCount in [1, 3, 4096, text.utf8.count] {
      try runTask { loop in
        let ends = try await self.connect(loop)
        let sender = loop.startTask {
          let bytes = Array(text.utf8)
          // The beginning in small pieces, the rest at once.
          for start in stride(from: 0, to: 16, by: byteCount) {
            try await ends.client.write(bytes[start..<min(start + byteCount, 16)])
            try await ends.client.flush()
          }
          try await ends.client.write(bytes[16...])
          ends.client.shutdownOutput()
        }
        var lines: [String] = []
        for try await line in ends.server.lines() { lines.append(line) }
        XCTAssertTrue(lines == expected, "\(lines.map(\.count))")
        let afterTheEnd = try await ends.server.readLine()
        XCTAssertNil(afterTheEnd)
        try await sender.value
        ends.abort()
      }
    }
  }

  func test_finalLineFeedStartsNoLine_andCarriageReturnsAreDroppedOnRequest() throws {
    try runTask { loop in
      let ends = try await self.connect(loop)
      try await ends.client.write("a\r\n\r\nb\rc\nd\r\n".utf8)
      ends.client.shutdownOutput()
      var lines: [String] = []
      for try await line in ends.server.lines(maximumByteCount: 3, dropsCarriageReturn: true) {
        lines.append(line)
      }
      XCTAssertEqual(lines, ["a", "", "b\rc", "d"])
      ends.abort()
    }
  }

  func test_lineOverTheMaximumIsAnError_thatTakesNothing() throws {
    try runTask { loop in
      let ends = try await self.connect(loop)
      // Complete, and so long that it cannot become a line any more.
      for end in ["\n", ""] {
        try await ends.client.write(("1234\n12345" + end).utf8)
        let first = try await ends.server.readLine(maximumByteCount: 4)
        XCTAssertEqual(first, Array("1234".utf8))
        for _ in 0..<2 {
          do throws(SocketError) {
            _ = try await ends.server.readLine(maximumByteCount: 4)
            XCTFail("a line of 5 bytes")
          } catch {
            XCTAssertEqual(error.errno, .messageTooLong)
            XCTAssertEqual(error.operation, .read)
          }
        }
        XCTAssertTrue(ends.server.isOpen)
        let rest = try await ends.server.read()
        XCTAssertEqual(rest, Array(("12345" + end).utf8))
      }
      ends.abort()
    }
  }

  func test_lineMayBeLongerThanTheHighWaterMark_whichThenHoldsAgain() throws {
    try runTask { loop in
      var limits = Connection.Configuration()
      limits.inputHighWaterByteCount = 4096
      let ends = try await self.connect(loop, server: limits)
      let line = [UInt8](repeating: 120, count: 300_000)
      let sender = loop.startTask {
        try await ends.client.write(line + Array("\n".utf8))
        try await ends.client.write([UInt8](repeating: 121, count: 4_000_000))
        ends.client.shutdownOutput()
      }
      let found = try await ends.server.readLine(maximumByteCount: line.count)
      XCTAssertTrue(found == line)
      var byteCount = 0
      while let chunk = try await ends.server.read() {
        // What had arrived with the line, and up to the mark after that.
        if byteCount > 0 { XCTAssertLessThanOrEqual(chunk.count, 4096) }
        byteCount += chunk.count
      }
      XCTAssertEqual(byteCount, 4_000_000)
      try await sender.value
      ends.abort()
    }
  }

  func test_bytesAfterALineStayInTheConnection() throws {
    try runTask { loop in
      let ends = try await self.connect(loop)
      try await ends.client.write("head\nbody".utf8)
      ends.client.shutdownOutput()
      let head = try await ends.server.readLine()
      XCTAssertEqual(head, Array("head".utf8))
      var body: [UInt8] = []
      for try await chunk in ends.server.chunks { body += chunk }
      XCTAssertEqual(body, Array("body".utf8))
      ends.abort()
    }
  }

  func test_wholeLinesComeBeforeTheError_whenThePeerResets() throws {
    try runTask { loop in
      let ends = try await self.connect(loop)
      try await ends.client.write("one\ntwo\ncut off".utf8)
      let first = try await ends.server.readLine()
      XCTAssertEqual(first, Array("one".utf8))
      ends.client.abort(resetting: true)
      _ = await ends.server.closeReasonAfterReset()
      let second = try await ends.server.readLine()
      XCTAssertEqual(second, Array("two".utf8))
      do throws(SocketError) {
        _ = try await ends.server.readLine()
        XCTFail("a line that was cut off")
      } catch {
        XCTAssertEqual(error.errno, .connectionReset)
      }
    }
  }

  func test_cancelledTaskLeavesTheBeginningOfItsLine() throws {
    try runTask { loop in
      let ends = try await self.connect(loop)
      try await ends.client.write("begin".utf8)
      let reader = loop.startTask { try await ends.server.readLine() }
      while ends.server.unreadByteCount < 5 { await Task.yield() }
      reader.cancel()
      do {
        _ = try await reader.value
        XCTFail("a line without an end")
      } catch {
        XCTAssertEqual((error as? SocketError)?.errno, .canceled)
      }
      try await ends.client.write("ning\n".utf8)
      let line = try await ends.server.readLine()
      XCTAssertEqual(line, Array("beginning".utf8))
      ends.abort()
    }
  }

  func test_handlersGetLinesThenTheEnd_andNeverInsideTheCall() throws {
    let loop = try EventLoop()
    let peers = try Peers(on: loop)
    try peers.client.write("one\ntwo".utf8)
    peers.client.shutdownOutput()
    var results: [[UInt8]?] = []
    func next() {
      var isInside = true
      peers.server.readLine { result in
        XCTAssertFalse(isInside)
        guard case .success(let line) = result else { return XCTFail("\(result)") }
        results.append(line)
        if line == nil { loop.stop() } else { next() }
      }
      isInside = false
    }
    next()
    loop.runUntilStopped()
    XCTAssertEqual(results, [Array("one".utf8), Array("two".utf8), nil])
    peers.abort()
  }

  func test_handlerGetsECANCELED_whenThisSideCloses() throws {
    let loop = try EventLoop()
    let peers = try Peers(on: loop)
    try peers.client.write("no end".utf8)
    var errnos: [Errno?] = []
    peers.server.readLine { result in
      if case .failure(let error) = result { errnos.append(error.errno) }
      peers.server.readLine { result in
        if case .failure(let error) = result { errnos.append(error.errno) }
        loop.stop()
      }
    }
    peers.server.abort()
    loop.runUntilStopped()
    XCTAssertEqual(errnos, [.canceled, .canceled])
    peers.abort()
  }
}

extension Connection {
  /// Waits until the connection has closed.
  fileprivate nonisolated(nonsending) func closeReasonAfterReset() async -> CloseReason? {
    while closeReason == nil { await Task.yield() }
    return closeReason
  }
}
