import SystemPackage
import XCTest

@testable import FileServer

final class RequestPathTests: XCTestCase {
  func test_pathIsRelativeToTheRoot() {
    for (encoded, path, endsInSlash) in [
      ("/", ".", true), ("//", ".", true), ("/.", ".", true), ("/./", ".", true),
      ("/a", "a", false), ("/a/", "a", true), ("/a/b", "a/b", false), ("//a//b//", "a/b", true),
      ("/./a/./b", "a/b", false), ("/a/.", "a", true), ("/a/./", "a", true), ("/...", "...", false),
      ("/..a", "..a", false), ("/a..", "a..", false), ("/a%2Fb", "a/b", false),
      ("/a%2f", "a", true), ("/%2fetc", "etc", false), ("/a%20b", "a b", false),
      ("/%252e", "%2e", false), ("/%2e", ".", true), ("/a+b", "a+b", false),
      ("/%C3%BC", "\u{FC}", false), ("/\u{FC}", "\u{FC}", false),
    ] as [(String, FilePath, Bool)] {
      let request = RequestPath(encoded)
      XCTAssertEqual(request?.path, path, encoded)
      XCTAssertEqual(request?.endsInSlash, endsInSlash, encoded)
    }
  }

  func test_pathIsRefused_whenItMayNameAnythingElse() {
    for encoded in [
      "", "a", "*", "../a", "/..", "/../", "/../a", "/a/..", "/a/../b", "/%2e%2e", "/.%2E/a",
      "/%2e./a", "/..%2fa", "/a%2f..%2fb", "/%00", "/a%00b", "/a%00", "/%", "/a%", "/%2", "/%2e%",
      "/%zz", "/%2g", "/%g2", "/% 2", "/%+2", "/%-1", "/%%",
    ] {
      XCTAssertNil(RequestPath(encoded), encoded)
    }
  }

  func test_pathKeepsBytesThatAreNotUTF8() throws {
    let request = try XCTUnwrap(RequestPath("/%FF%fe"))
    // The pointer is used only during the call.
    let bytes = unsafe request.path.withPlatformString { text in
      unsafe [text[0], text[1], text[2]].map { UInt8(bitPattern: $0) }
    }
    XCTAssertEqual(bytes, [0xFF, 0xFE, 0])
  }

  func test_nameIsAppended() throws {
    XCTAssertEqual(try XCTUnwrap(RequestPath("/a/")).appending("index.html"), "a/index.html")
    XCTAssertEqual(try XCTUnwrap(RequestPath("/")).appending("index.html"), "index.html")
  }

  func test_decodingUndoesEncoding_forEveryByte() {
    let bytes = Array(UInt8.min...UInt8.max)
    let encoded = percentEncoded(bytes)
    XCTAssertEqual(percentDecoded(encoded), bytes)
    XCTAssertTrue(encoded.utf8.allSatisfy { (0x21...0x7E).contains($0) })
    for character in "\"#&'/:;<>?\\ " { XCTAssertFalse(encoded.contains(character)) }
    XCTAssertEqual(percentEncoded(Array("aZ09-._~".utf8)), "aZ09-._~")
    XCTAssertEqual(percentEncoded(Array("a b/%".utf8)), "a%20b%2F%25")
  }
}
