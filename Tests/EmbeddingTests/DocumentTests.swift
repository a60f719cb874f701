import Foundation
import XCTest

final class DocumentTests: XCTestCase {
  func test_embeddingDocumentShowsTheCodeThatIsTested() throws {
    let root = URL(fileURLWithPath: #filePath).deletingLastPathComponent()
      .appendingPathComponent("../..").standardizedFileURL
    func text(_ path: String) throws -> String {
      try String(contentsOf: root.appendingPathComponent(path), encoding: .utf8)
    }
    let document = try text("docs/embedding.md")
    for path in [
      "docs/Snippets/EmbedInC/main.swift", "docs/Snippets/PollLoop/main.swift",
      "Benchmarks/Sources/NIOEmbedding/NIOQueue.swift",
    ] {
      XCTAssertTrue(document.contains("```swift\n\(try text(path))```"), path)
    }
  }
}
