import Testing

@testable import ParserOutcomes
@testable import ReactorHTTP

@Suite struct BodyDecoderTests {
  /// Requests with each framing, and their content.
  private static let requests: [(String, content: String)] = [
    ("GET / HTTP/1.1\r\nHost: x\r\n\r\n", ""),
    ("PUT / HTTP/1.1\r\nHost: x\r\nContent-Length: 0\r\n\r\n", ""),
    ("PUT / HTTP/1.1\r\nHost: x\r\nContent-Length: 11\r\n\r\nhello world", "hello world"),
    ("PUT / HTTP/1.0\r\nContent-Length: 3\r\n\r\n\r\n\u{0}", "\r\n\u{0}"),
    (chunkedHead + "0\r\n\r\n", ""),
    (chunkedHead + "5\r\nhello\r\n1;a=\"b;\"\r\n \r\n05\r\nworld\r\n0\r\n\r\n", "hello world"),
    (chunkedHead + "2\r\n\r\n\r\n5\r\n0\r\n\r\n\r\n00;a\r\nT: u\r\nV:\r\n\r\n", "\r\n0\r\n\r\n"),
  ]

  @Test func everyFramingIsTheSameCutAnywhere() {
    let next = "GET /next HTTP/1.1\r\nHost: y\r\n\r\n"
    for (request, content) in Self.requests {
      let input = bytes(request + next)
      let whole = Transcript(input)
      #expect(whole.error == nil)
      #expect(whole.messages.map(\.content) == [bytes(content), []])
      #expect(whole.messages.map(\.byteCount) == [request.utf8.count, next.utf8.count])
      for first in 0...input.count {
        #expect(Transcript(input, in: [first]) == whole, "\(request.debugDescription) at \(first)")
        #expect(Transcript(input, in: [first, 1]) == whole)
      }
    }
  }

  @Test func aBodyThatEndsEarlyIsIncompleteWithWhatCame() {
    for (request, content) in Self.requests {
      let input = bytes(request)
      for end in 0..<input.count {
        let cut = Transcript(Array(input[..<end]))
        #expect(cut.error == nil)
        #expect(!(cut.messages.first?.isComplete ?? false))
        #expect(bytes(content).starts(with: cut.messages.first?.content ?? []))
      }
    }
  }

  @Test func aTrailerIsApartFromTheHeader() throws {
    let input = bytes(chunkedHead + "1\r\na\r\n0\r\nT: u\r\nHost2:  v \r\n\r\n")
    let message = try #require(Transcript(input).messages.first)
    #expect(message.trailerFields == ["T": "u", "Host2": "v"])
    #expect(message.headerFields.count == 2)
    #expect(Transcript(Array(input.dropLast())).messages.first?.trailerFields == [:])
  }

  @Test func lengthsTellWhatIsLeft() throws {
    let three: [UInt8] = [1, 2, 3]
    var decoder = BodyDecoder(.length(.max), trailerLimits: HeadLimits())
    #expect(decoder.remainingContentLength == .max)
    let step = try decoder.decode(RawSpan(_elements: three.span))
    #expect(step == BodyDecoder.Step(consumedByteCount: 3, content: 0..<3))
    #expect(decoder.remainingContentLength == Int64.max - 3)
    #expect(!decoder.isComplete)
    decoder = BodyDecoder(.length(2), trailerLimits: HeadLimits())
    #expect(try decoder.decode(RawSpan(_elements: three.span)).consumedByteCount == 2)
    #expect(decoder.isComplete && decoder.remainingContentLength == 0)
    #expect(try decoder.decode(RawSpan(_elements: three.span)).consumedByteCount == 0)
    #expect(BodyDecoder(.chunked, trailerLimits: HeadLimits()).remainingContentLength == nil)
    #expect(BodyDecoder(.length(0), trailerLimits: HeadLimits()).isComplete)
    #expect(BodyDecoder(.none, trailerLimits: HeadLimits()).isComplete)
  }

  @Test func theLargestChunkIsTaken() throws {
    var decoder = BodyDecoder(.chunked, trailerLimits: HeadLimits())
    let step = try decoder.decode(RawSpan(_elements: bytes("7fffffffffffffff\r\nabc").span))
    #expect(step == BodyDecoder.Step(consumedByteCount: 21, content: 18..<21))
    #expect(!decoder.isComplete)
  }
}
