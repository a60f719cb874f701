import Foundation
import SystemPackage
import TestSupport
import XCTest

final class SnippetTests: XCTestCase {
  private static let readers = ["ReadFile", "AwaitFile"]

  func test_fileIsPrinted_inBothStyles() throws {
    let text = try String(contentsOfFile: "/etc/os-release", encoding: .utf8)
    for name in Self.readers {
      let outcome = try Program.run("\(name)Snippet")
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
      let snippet = try text("docs/Snippets/\(name)/main.swift")
      XCTAssertTrue(readme.contains("```swift\n\(snippet)```"), name)
    }
  }

  func test_recordStoreHasItsRecords_alsoWhenItIsOpenedAgain() throws {
    let folder = try TemporaryFolder()
    let first = try Program.run("RecordStoreSnippet", [folder.path.string, "one", "two"])
    XCTAssertEqual(first.status, 0, first.errors)
    let lines = first.output.split(separator: "\n")
    XCTAssertEqual(lines.prefix(2).sorted(), ["stored 0", "stored 1"])
    XCTAssertEqual(lines.dropFirst(2).sorted(), ["one", "two"])
    let second = try Program.run("RecordStoreSnippet", [folder.path.string, "three"])
    XCTAssertEqual(second.status, 0, second.errors)
    XCTAssertEqual(
      second.output.split(separator: "\n"), ["stored 2"] + lines.dropFirst(2) + ["three"])
  }

  /// The pieces of code in the articles, which would otherwise only compile.
  func test_piecesInTheArticlesDoWhatTheySay() throws {
    let folder = try TemporaryFolder()
    let outcome = try Program.run("GuideSnippet", [folder.path.string])
    XCTAssertEqual(outcome.status, 0, outcome.errors)
    // The checksum comes when its thread is done.
    XCTAssertEqual(
      outcome.output.split(separator: "\n").filter { !$0.hasPrefix("checksum") },
      [
        "durable: success()", "a record", "one", "two", "one", "two", "accepted: true",
        "tasks: 23 7 # first 15", "one", "two",
      ])
    XCTAssertTrue(outcome.output.contains("checksum 1026\n"), outcome.output)
    XCTAssertEqual(try folder.contents(of: "settings"), Array("three\no\n".utf8))
    XCTAssertEqual(try folder.contents(of: "copy"), Array("one\ntwo\n".utf8))
    XCTAssertEqual(try folder.contents(of: "log"), Array("a record\n".utf8))
  }
}
