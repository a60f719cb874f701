import Foundation
import SystemPackage
import TestSupport
import XCTest

final class SnippetTests: XCTestCase {
  private static let readers = ["ReadFile", "AwaitFile"]

  func test_fileIsPrinted_inBothStyles() throws {
    let text = try String(contentsOfFile: "/etc/os-release", encoding: .utf8)
    for name in Self.readers {
      let outcome = try Program.run(name)
      XCTAssertEqual(outcome.status, 0, outcome.errors)
      XCTAssertEqual(outcome.output, text, name)
    }
  }

  func test_readmeShowsBothStyles() throws {
    let root = URL(fileURLWithPath: #filePath).deletingLastPathComponent()
      .appendingPathComponent("../..").standardizedFileURL
    func text(_ path: String) throws -> String {
      try String(contentsOf: root.appendingPathComponent(path), encoding: .utf8)
    }
    let readme = try text("README.md")
    for name in Self.readers {
      let snippet = try text("Snippets/\(name).swift")
      XCTAssertTrue(readme.contains("```swift\n\(snippet)```"), name)
    }
  }

  func test_recordStoreHasItsRecords_alsoWhenItIsOpenedAgain() throws {
    let directory = try TemporaryDirectory()
    let first = try Program.run("RecordStore", [directory.path.string, "one", "two"])
    XCTAssertEqual(first.status, 0, first.errors)
    let lines = first.output.split(separator: "\n")
    XCTAssertEqual(lines.prefix(2).sorted(), ["stored 0", "stored 1"])
    XCTAssertEqual(lines.dropFirst(2).sorted(), ["one", "two"])
    let second = try Program.run("RecordStore", [directory.path.string, "three"])
    XCTAssertEqual(second.status, 0, second.errors)
    XCTAssertEqual(
      second.output.split(separator: "\n"), ["stored 2"] + lines.dropFirst(2) + ["three"])
  }

  // The pieces of code in the articles, which would otherwise only compile.

  func test_piecesInTheArticlesOfPosixAIO_doWhatTheySay() throws {
    let directory = try TemporaryDirectory()
    let outcome = try Program.run("QueueGuide", [directory.path.appending("log").string])
    XCTAssertEqual(outcome.status, 0, outcome.errors)
    XCTAssertEqual(outcome.output, "durable: success()\na record\n")
    XCTAssertEqual(
      try directory.contents(of: "log"), [9, 0, 0, 0] + Array("a record\n".utf8))
  }

  func test_piecesInTheArticlesOfReactor_doWhatTheySay() throws {
    let directory = try TemporaryDirectory()
    let outcome = try Program.run("StreamsGuide", [directory.path.string])
    XCTAssertEqual(outcome.status, 0, outcome.errors)
    // The checksum is printed when its thread has it.
    XCTAssertEqual(
      outcome.output.split(separator: "\n").filter { !$0.hasPrefix("checksum") },
      ["one", "two", "one", "two", "accepted: true"])
    XCTAssertTrue(outcome.output.contains("checksum 1026\n"), outcome.output)
    XCTAssertEqual(try directory.contents(of: "settings"), Array("three\no\n".utf8))
    XCTAssertEqual(try directory.contents(of: "copy"), Array("one\ntwo\n".utf8))
  }

  func test_piecesInTheArticleOfTasks_doWhatTheySay() throws {
    let directory = try TemporaryDirectory()
    let outcome = try Program.run("TasksGuide", [directory.path.string])
    XCTAssertEqual(outcome.status, 0, outcome.errors)
    XCTAssertEqual(
      outcome.output,
      """
      sizes: 23
      growth: 7
      comment: # first
      ends: ["one", "two"]
      journal: 15

      """)
  }

  func test_piecesInTheArticlesOfReactorHTTP_doWhatTheySay() throws {
    let directory = try TemporaryDirectory()
    try directory.write("one\ntwo\n".utf8, to: "file")
    let outcome = try Program.run("HTTPGuide", [directory.path.appending("file").string])
    XCTAssertEqual(outcome.status, 0, outcome.errors)
    XCTAssertTrue(outcome.output.hasPrefix("HTTP/1.1 200 "), outcome.output)
    XCTAssertTrue(outcome.output.hasSuffix("\r\n\r\none\ntwo\n"), outcome.output)
  }
}
