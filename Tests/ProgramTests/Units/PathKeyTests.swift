import SystemPackage
import XCTest

@testable import FileServer

final class PathKeyTests: XCTestCase {
  func test_keyStandsForItsPath_whateverBytesItHas() {
    let names: [[UInt8]] = [
      Array("a".utf8), Array("a/b c.txt".utf8), Array("ä/%41".utf8), [0xff, 0x2f, 0x25],
      Array("%".utf8), Array(".".utf8),
    ]
    for name in names {
      let key = PathKey(FilePath(bytes: name))
      XCTAssertEqual(key.path.bytes, name)
    }
    let keys = Set(names.map { PathKey(FilePath(bytes: $0)) })
    XCTAssertEqual(keys.count, names.count)
  }

  /// Swift takes these pairs for equal texts; file systems do not.
  func test_namesThatLookAlikeHaveKeysOfTheirOwn() {
    for (one, other) in [
      ("K", "\u{212A}"), (";", "\u{37E}"), ("`", "\u{1FEF}"), ("caf\u{E9}", "cafe\u{301}"),
    ] {
      XCTAssertEqual(one, other)
      XCTAssertNotEqual(
        PathKey(FilePath(bytes: Array(one.utf8))), PathKey(FilePath(bytes: Array(other.utf8))))
      XCTAssertNotEqual(RequestPath("/" + one)?.key, RequestPath("/" + other)?.key, one)
      XCTAssertEqual(RequestPath("/" + other)?.path.bytes, Array(other.utf8))
    }
  }

  func test_requestsForOneFileHaveOneKey_howeverTheyAreEncoded() throws {
    let plain = try XCTUnwrap(RequestPath("/a/b"))
    for encoded in ["/a/%62", "//a/./b", "/%61/b"] {
      XCTAssertEqual(RequestPath(encoded)?.key, plain.key, encoded)
    }
    XCTAssertNotEqual(RequestPath("/%25FF")?.key, RequestPath("/%FF")?.key)
  }
}
