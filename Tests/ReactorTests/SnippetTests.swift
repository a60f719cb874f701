import Foundation
import TestSupport
import XCTest

final class SnippetTests: XCTestCase {
  func test_readFileSnippetPrintsTheFile() throws {
    let outcome = try Program.run("ReadFileSnippet")
    XCTAssertEqual(outcome.status, 0, outcome.errors)
    XCTAssertEqual(
      outcome.output, try String(contentsOfFile: "/etc/os-release", encoding: .utf8))
  }

  func test_readmeShowsTheReadFileSnippet() throws {
    let root = URL(fileURLWithPath: #filePath).deletingLastPathComponent()
      .appendingPathComponent("../..").standardizedFileURL
    let snippet = try String(
      contentsOf: root.appendingPathComponent("docs/Snippets/ReadFile/main.swift"), encoding: .utf8)
    let readme = try String(contentsOf: root.appendingPathComponent("README.md"), encoding: .utf8)
    XCTAssertTrue(readme.contains("```swift\n\(snippet)```"))
  }
}
