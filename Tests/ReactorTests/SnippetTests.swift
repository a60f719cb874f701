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

  /// The pieces of code in the articles, which would otherwise only compile.
  func test_piecesInTheArticlesDoWhatTheySay() throws {
    let folder = try TemporaryFolder()
    let outcome = try Program.run("GuideSnippet", [folder.path.string])
    XCTAssertEqual(outcome.status, 0, outcome.errors)
    // The checksum comes when its thread is done.
    XCTAssertEqual(
      outcome.output.split(separator: "\n").filter { !$0.hasPrefix("checksum") },
      [
        "durable: success()", "a record", "one", "two", "one", "two", "accepted: true", "one",
        "two",
      ])
    XCTAssertTrue(outcome.output.contains("checksum 1026\n"), outcome.output)
    XCTAssertEqual(try folder.contents(of: "settings"), Array("three\no\n".utf8))
    XCTAssertEqual(try folder.contents(of: "copy"), Array("one\ntwo\n".utf8))
    XCTAssertEqual(try folder.contents(of: "log"), Array("a record\n".utf8))
  }
}
