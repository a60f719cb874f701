import SystemPackage
import TestSupport
import XCTest

final class CopyFileSnippetTests: XCTestCase {
  func test_snippetCopiesFilesOfAnySize() throws {
    let folder = try TemporaryDirectory()
    // Nothing, one byte, whole blocks, and a rest.
    for byteCount in [0, 1, 1 << 16, 3 << 16, 1_000_001] {
      let bytes = Pattern.block(byteCount, byteCount: byteCount)
      try folder.write(bytes, to: "source")
      let outcome = try Program.run(
        "CopyFile", ["source", "target"].map { folder.path.appending($0).string })
      XCTAssertEqual(outcome.status, 0, outcome.errors)
      XCTAssertEqual(outcome.errors, "")
      XCTAssertTrue(try folder.contents(of: "target") == bytes, "\(byteCount) bytes differ")
    }
  }
}
