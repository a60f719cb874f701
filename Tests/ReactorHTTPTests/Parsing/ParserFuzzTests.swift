import TestSupport
import Testing

@testable import ParserOutcomes
@testable import ReactorHTTP

/// Nearly valid input from clients. `FUZZ_CASES=1000000 swift test --filter ParserFuzzTests` runs
/// more cases, and `AIO_TEST_SEED` repeats a run.
@Suite struct ParserFuzzTests {
  private let seed = testSeed()
  private let caseCount = fuzzCaseCount(unlessSet: 5000)

  private static let corpus = [
    "GET / HTTP/1.1\r\nHost: x\r\n\r\n", "POST /a?b HTTP/1.1\r\nHost: a.b:80\r\n",
    "GET http://h/a HTTP/1.0\r\nConnection: keep-alive\r\n\r\n", "OPTIONS * HTTP/1.1\r\n",
    "CONNECT h:443 HTTP/1.1\r\nHost: h\r\n\r\n", "Host: [::1]:80\r\n", "Content-Length: 3\r\n",
    "Content-Length: 5\r\n\r\nabcde", "Transfer-Encoding: chunked\r\n", "Expect: 100-continue\r\n",
    "Transfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n0\r\n\r\n", "Connection: close, x\r\n", "\r\n",
    chunkedHead, chunkedHead + "a;b=\"c\"\r\n0123456789\r\n00\r\nT: u\r\n\r\n", "1\r\na\r\n",
    "0\r\n\r\n", "X: \u{e9}\r\n", " ", "\t", "\0", "\n", ",",
  ]

  /// The parser does not trap, does not depend on the pieces, and accepts accepted input again.
  @Test func noInputIsFatal_andPiecesChangeNothing() throws {
    var fuzzer = TextFuzzer(Self.corpus, seed: seed)
    var (acceptedCount, refusedCount) = (0, 0)
    for number in 0..<caseCount {
      let input = fuzzer.nextBytes() + (number.isMultiple(of: 2) ? fuzzer.nextBytes() : [])
      let limits = number.isMultiple(of: 3) ? HeadLimits(headByteCount: 64, fieldCount: 3) : .init()
      let whole = Transcript(input, in: [], limits)
      expectEqualInPieces(input, whole, limits, seed: seed &+ UInt64(number))
      acceptedCount += whole.messages.count { $0.isComplete }
      refusedCount += whole.error == nil ? 0 : 1
      for message in whole.messages where message.isComplete {
        try expectTheSame(message)
      }
    }
    #expect(acceptedCount > caseCount / 50 && refusedCount > caseCount / 50)
  }

  /// A message that is written plainly and parsed again has the same meaning, so no part of it was
  /// missed.
  private func expectTheSame(_ message: Transcript.Message) throws {
    var text = bytes("\(message.method) ") + Array(message.target.text.utf8)
    text += bytes(" HTTP/1.\(message.minorVersion)\r\n")
    for field in message.headerFields {
      text += Array("\(field.name): \(field.value)\r\n".utf8)
    }
    text += bytes("\r\n")
    switch message.framing {
    case .none: break
    case .length: text += message.content
    case .chunked:
      if !message.content.isEmpty {
        text += bytes(String(message.content.count, radix: 16) + "\r\n") + message.content
        text += bytes("\r\n")
      }
      text += bytes("0\r\n")
      for field in message.trailerFields {
        text += Array("\(field.name): \(field.value)\r\n".utf8)
      }
      text += bytes("\r\n")
    }
    var again = try #require(Transcript(text).messages.first, "\(message), seed \(seed)")
    #expect(again.byteCount == text.count, "\(message), seed \(seed)")
    again.byteCount = message.byteCount
    #expect(again == message, "seed \(seed)")
  }
}
