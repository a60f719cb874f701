import PosixAIO
import SystemPackage
import TestSupport
import XCTest

@testable import Reactor

final class LineReaderTests: XCTestCase {
  private func lines(
    _ text: String, chunk: Int = 64, maximum: Int = 100, dropsCarriageReturn: Bool = false,
    at offset: Int64 = 0
  ) throws -> (lines: [String], error: FileError?, offset: Int64) {
    let (folder, loop) = (try TemporaryDirectory(), try EventLoop())
    try folder.write(text.utf8, to: "file")
    let file = try loop.open(folder.path.appending("file"))
    var configuration = LineReader.Configuration()
    configuration.maximumByteCount = maximum
    configuration.dropsCarriageReturn = dropsCarriageReturn
    configuration.reader.chunkByteCount = chunk
    let reader = LineReader(file, at: offset, configuration: configuration)
    var lines: [String] = []
    while true {
      switch try loop.outcome(of: { reader.next($0) }) {
      case .success(let line?): lines.append(String(decoding: line, as: UTF8.self))
      case .success(nil): return (lines, nil, reader.offset)
      case .failure(let error):
        // It stays so.
        XCTAssertEqual(try loop.error { reader.next($0) }, error)
        return (lines, error, reader.offset)
      }
    }
  }

  func test_everyEndAtEveryBorderOfAChunk() throws {
    let text = "one\n\ntwo\r\n\r\n\rthree\r\r\nfour\r"
    let exact = ["one", "", "two\r", "\r", "\rthree\r\r", "four\r"]
    let dropped = ["one", "", "two", "", "\rthree\r", "four\r"]
    for suffix in ["", "\n", "\n\n"] {
      for chunk in 1...text.utf8.count + 2 {
        let last = suffix.isEmpty ? [] : Array(repeating: "", count: suffix.count - 1)
        let kept = try lines(text + suffix, chunk: chunk)
        XCTAssertEqual(kept.lines, exact + last, "\(chunk)")
        XCTAssertEqual(kept.offset, Int64((text + suffix).utf8.count))
        let short = try lines(text + suffix, chunk: chunk, dropsCarriageReturn: true)
        let lastOfShort = suffix.isEmpty ? "four\r" : "four"
        XCTAssertEqual(short.lines, dropped.dropLast() + [lastOfShort] + last, "\(chunk)")
      }
    }
  }

  func test_emptyFileHasNoLine_andOneLineFeedHasOne() throws {
    XCTAssertEqual(try lines("").lines, [])
    XCTAssertEqual(try lines("\n").lines, [""])
    XCTAssertEqual(try lines("x").lines, ["x"])
  }

  func test_linesBeginWhereAsked() throws {
    XCTAssertEqual(try lines("one\ntwo\nthree", at: 4).lines, ["two", "three"])
  }

  func test_tooLongALineIsAnErrorAtItsPlace() throws {
    for chunk in [1, 3, 5, 64] {
      for end in ["\n", "\r\n", ""] {
        let fitting = try lines(
          "abc\n12345\(end)", chunk: chunk, maximum: 5, dropsCarriageReturn: true)
        XCTAssertEqual(fitting.lines, ["abc", "12345"])
        let tooLong = try lines(
          "abc\n123456\(end)x\n", chunk: chunk, maximum: 5, dropsCarriageReturn: true)
        XCTAssertEqual(tooLong.lines, ["abc"])
        XCTAssertEqual(tooLong.error?.errno, .messageTooLong)
        XCTAssertEqual(tooLong.error?.offset, 4)
        XCTAssertEqual(tooLong.error?.operation, .read)
      }
    }
  }

  func test_errorOfTheFileIsTheLinesError_andCancelToo() throws {
    let (folder, loop) = (try TemporaryDirectory(), try EventLoop())
    let path = folder.path.appending("file")
    let file = try loop.open(path, .writeOnly)
    let reader = LineReader(file)
    XCTAssertEqual(
      try loop.error { reader.next($0) },
      FileError(operation: .read, path: path, offset: 0, errno: .badFileDescriptor))
    let cancelled = LineReader(try loop.open(path, .readOnly))
    XCTAssertEqual(
      try loop.error { done in
        cancelled.next(done)
        cancelled.cancel()
      }, FileError(operation: .read, path: path, offset: 0, errno: .canceled))
    XCTAssertEqual(try loop.error { cancelled.next($0) }.errno, .canceled)
  }

  func test_splitterGivesBackChunksAndCountsThem() {
    var splitter = LineSplitter(maximumByteCount: 10, dropsCarriageReturn: false, offset: 7)
    XCTAssertEqual(splitter.next(), .needsMore)
    XCTAssertNil(bytes(splitter.append(IOBuffer(copying: Array("a\nb".utf8)))))
    XCTAssertEqual(splitter.next(), .line(Array("a".utf8)))
    XCTAssertEqual(splitter.next(), .needsMore)
    XCTAssertEqual(
      bytes(splitter.append(IOBuffer(copying: Array("c\n".utf8)))),
      Array("a\nb".utf8))
    XCTAssertEqual(splitter.next(), .line(Array("bc".utf8)))
    XCTAssertEqual(splitter.offset, 12)
    XCTAssertEqual(splitter.finish(), .needsMore)
  }

  private func bytes(_ buffer: consuming IOBuffer?) -> [UInt8]? {
    guard let buffer else { return nil }
    return Array(buffer)
  }
}
