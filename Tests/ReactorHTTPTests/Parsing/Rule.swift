import TestSupport
import Testing

@testable import ParserOutcomes
@testable import ReactorHTTP

/// One rule for requests, and an input that follows or violates it.
struct Rule: CustomTestStringConvertible, Sendable {
  /// The number of the RFC and the section.
  let section: String
  let input: [UInt8]
  /// The refusal; nil if the input is one complete request.
  let status: Int?

  /// - Parameter input: The input, whose scalars below 0x100 stand for bytes.
  init(_ section: String, _ input: String, _ status: Int? = nil) {
    self.section = section
    self.input = bytes(input)
    self.status = status
  }

  /// An HTTP/1.1 request with a Host and these lines.
  static func lines(_ section: String, _ lines: String, _ status: Int? = nil) -> Rule {
    Rule(section, "GET / HTTP/1.1\r\nHost: x\r\n\(lines)\r\n\r\n", status)
  }

  /// A request with a chunked body.
  static func chunks(_ section: String, _ body: String, _ status: Int? = nil) -> Rule {
    Rule(section, chunkedHead + body, status)
  }

  var testDescription: String {
    "\(section): \(String(decoding: input, as: UTF8.self).debugDescription)"
  }

  func check() {
    let whole = Transcript(input)
    #expect(whole.error?.status.code == status, "\(self): \(String(describing: whole.error))")
    if status == nil {
      #expect(whole.messages.map(\.isComplete) == [true], "\(self)")
      #expect(whole.messages.first?.byteCount == input.count, "\(self)")
    }
    expectEqualInPieces(input, whole)
  }
}

let chunkedHead = "POST / HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n"

func bytes(_ text: String) -> [UInt8] {
  text.unicodeScalars.map { UInt8($0.value) }
}

/// Expects the same result for the input byte by byte, and in random pieces.
func expectEqualInPieces(
  _ input: [UInt8], _ whole: Transcript, _ limits: HeadLimits = HeadLimits(),
  seed: UInt64 = testSeed(), sourceLocation: SourceLocation = #_sourceLocation
) {
  let text = String(decoding: input, as: UTF8.self).debugDescription
  let single = Transcript(input, in: repeatElement(1, count: input.count), limits)
  #expect(single == whole, "\(text) byte by byte", sourceLocation: sourceLocation)
  var random = SeededGenerator(seed: seed)
  for _ in 0..<3 {
    let pieces = (0..<input.count).map { _ in Int.random(in: 1...12, using: &random) }
    let outcome = Transcript(input, in: pieces, limits)
    #expect(outcome == whole, "\(text) in \(pieces), seed \(seed)", sourceLocation: sourceLocation)
  }
}
