import Testing

@testable import ParserOutcomes
@testable import ReactorHTTP

@Suite struct ParserLimitTests {
  private let limits = HeadLimits(headByteCount: 100, fieldCount: 3)

  private func status(_ text: String) -> Int? {
    let whole = Transcript(bytes(text), in: [], limits)
    expectEqualInPieces(bytes(text), whole, limits)
    return whole.error?.status.code
  }

  @Test func headsAreBoundedInBytes() {
    let start = "GET / HTTP/1.1\r\nHost: x\r\nA: "
    let room = limits.headByteCount - start.utf8.count - 4
    #expect(status(start + String(repeating: "a", count: room) + "\r\n\r\n") == nil)
    #expect(status(start + String(repeating: "a", count: room + 1) + "\r\n\r\n") == 431)
    #expect(status("\r\n" + start + String(repeating: "a", count: room) + "\r\n\r\n") == 431)
    #expect(status(start + String(repeating: "a", count: 100)) == 431)
    #expect(status("GET /" + String(repeating: "a", count: 94)) == nil)
    #expect(status("GET /" + String(repeating: "a", count: 95)) == 414)
    #expect(status("GET / HTTP/1." + String(repeating: "1", count: 100)) == 414)
    #expect(status(String(repeating: "\r\n", count: 50)) == 400)
    // The error comes as soon as it is certain.
    #expect(status(start + String(repeating: "a", count: room + 4)) == 431)
    #expect(status(start + String(repeating: "a", count: room + 3)) == nil)
  }

  @Test func fieldLinesAreBoundedInNumber() {
    let start = "GET / HTTP/1.1\r\nHost: x\r\n"
    #expect(status(start + "A:\r\nB:\r\n\r\n") == nil)
    #expect(status(start + "A:\r\nB:\r\nC") == 431)
    #expect(status(start + "A:\r\nB:\r\n ") == 400)
  }

  @Test func trailersAreBoundedByThemselves() {
    let start = chunkedHead + "0\r\n"
    #expect(chunkedHead.utf8.count < limits.headByteCount)
    #expect(status(start + "A:\r\nB:\r\nC:\r\n\r\n") == nil)
    #expect(status(start + "A:\r\nB:\r\nC:\r\nD") == 431)
    #expect(status(start + "A:" + String(repeating: "a", count: 94) + "\r\n\r\n") == nil)
    #expect(status(start + "A:" + String(repeating: "a", count: 95) + "\r\n\r\n") == 431)
    #expect(status(start + "A:" + String(repeating: "a", count: 98)) == 431)
  }

  @Test func chunkLinesAreBoundedInBytes() {
    let room = ChunkLine.byteCountLimit - "0;\r\n".utf8.count
    #expect(status(chunkedHead + "0;\(String(repeating: "a", count: room))\r\n\r\n") == nil)
    #expect(status(chunkedHead + "0;\(String(repeating: "a", count: room + 1))\r\n\r\n") == 400)
    #expect(status(chunkedHead + String(repeating: "0", count: 1022) + "\r\n\r\n") == nil)
    #expect(status(chunkedHead + String(repeating: "0", count: 1024)) == 400)
  }

  /// Extensions may use a fixed number of bytes, and more in proportion to the content.
  @Test func chunkLinesOfABodyAreBoundedTogether() {
    let line = "1;" + String(repeating: "a", count: 100) + "\r\nx\r\n"
    let count = ChunkLine.excessByteCountLimit / (104 - 16 - 2)
    #expect(status(chunkedHead + String(repeating: line, count: count) + "0\r\n\r\n") == nil)
    #expect(status(chunkedHead + String(repeating: line, count: count + 1)) == 400)
    // An extension that signs 64 bytes has no limit.
    let signed = "40;s=" + String(repeating: "f", count: 100) + "\r\n"
    let chunk = signed + String(repeating: "x", count: 64) + "\r\n"
    let body = String(repeating: chunk, count: 1000) + "0\r\n\r\n"
    let transcript = Transcript(bytes(chunkedHead + body), in: [], limits)
    #expect(transcript.messages.first?.content.count == 64_000)
    // Chunks of one byte without extensions have no limit either.
    let single = String(repeating: "1\r\nx\r\n", count: 5000) + "0\r\n\r\n"
    #expect(
      Transcript(bytes(chunkedHead + single), in: [], limits).messages.first?.isComplete == true)
  }

  /// Bytes that were read are not read again, so bytes that arrive one by one cost no more.
  @Test func everyByteOfAHeadIsLookedAtOnce() throws {
    let long = String(repeating: "a", count: 3000)
    let head = bytes(
      "\r\nGET /\(long) HTTP/1.1\r\nHost: x\r\nA: \(long)\r\n\(long): b\r\nB: \t \(long) \t\r\n\r\n"
    )
    var parser = HeadParser(HeadLimits())
    var positions: Set<Int> = []
    for count in 0..<head.count {
      let part = Array(head[..<count])
      #expect(try parser.parse(RawSpan(_elements: part.span)) == nil)
      // The parser must see the byte after a leading carriage return.
      #expect(parser.position == count || count == 1)
      positions.insert(parser.position)
    }
    #expect(positions.count == head.count - 1)
    let whole = try #require(try parser.parse(RawSpan(_elements: head.span)))
    #expect(whole.byteCount == head.count)
    #expect(parser.position == 0 && !parser.hasBegun)
  }
}
