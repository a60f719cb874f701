import TestSupport
import XCTest

@testable import KeyValueServer

final class RequestParserTests: XCTestCase {
  /// Feeds bytes in pieces and gives the requests, and the error at which they ended.
  private func parse(
    _ bytes: [UInt8], limits: RequestParser.Limits = .init(), pieces: () -> Int = { .max }
  ) -> (requests: [[[UInt8]]], error: String?) {
    var parser = RequestParser(limits: limits)
    var requests: [[[UInt8]]] = []
    var start = 0
    do {
      while start < bytes.count {
        let end = start + min(bytes.count - start, max(1, pieces()))
        let piece = Array(bytes[start..<end])
        var offset = 0
        while let request = try unsafe parser.next(in: piece.span.bytes, at: &offset) {
          requests.append(request)
        }
        XCTAssertEqual(offset, piece.count)
        start = end
      }
      return (requests, nil)
    } catch {
      return (requests, error.reason)
    }
  }

  private func words(_ text: String) -> [[UInt8]] {
    text.split(separator: " ").map { Array($0.utf8) }
  }

  func test_requestsAreFound_howeverTheyAreCut() {
    let bytes = Array(
      "*2\r\n$3\r\nGET\r\n$1\r\na\r\nPING x\r\n*0\r\n\r\n*1\r\n$0\r\n\r\nEND\n".utf8)
    let wanted = [words("GET a"), words("PING x"), [[]], words("END")]
    for piece in 1...bytes.count {
      let outcome = parse(bytes) { piece }
      XCTAssertEqual(outcome.requests, wanted, "\(piece)")
      XCTAssertNil(outcome.error)
    }
  }

  func test_wordsOfALine() {
    for (line, wanted) in [
      ("a b", ["a", "b"]), ("  a\t b ", ["a", "b"]), (#""a b" c"#, ["a b", "c"]),
      (#"'a b'"#, ["a b"]), (#""\x41\n\"""#, ["A\n\""]), (#"'\'\n'"#, [#"'\n"#]), (#""""#, [""]),
      (#""\xg1""#, ["xg1"]), ("", []), ("   ", []),
    ] as [(String, [String])] {
      XCTAssertEqual(InlineWords.split(Array(line.utf8))?.map(\.text), wanted, line)
    }
    for line in [#""a"#, #"'a"#, #""a"b"#, #""a\"#, #"'a\'"#] {
      XCTAssertNil(InlineWords.split(Array(line.utf8)), line)
    }
  }

  func test_limitsHold() {
    var limits = RequestParser.Limits()
    limits.bulkByteCount = 10
    limits.requestByteCount = 15
    limits.lineByteCount = 20
    limits.argumentCount = 3
    for (text, error) in [
      ("*3\r\n", nil), ("*4\r\n", "invalid multibulk length"), ("*1\r\n$10\r\n", nil),
      ("*1\r\n$11\r\n", "invalid bulk length"), ("*01\r\n", "invalid multibulk length"),
      ("*2\r\n$10\r\n0123456789\r\n$6\r\n", "too big request"),
      ("a b c d\r\n", "invalid multibulk length"),
      (String(repeating: "a", count: 21), "too big inline request"),
    ] as [(String, String?)] {
      XCTAssertEqual(parse(Array(text.utf8), limits: limits).error, error, text)
    }
  }
}
