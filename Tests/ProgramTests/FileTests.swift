import Foundation
import Glibc
import ReactorHTTP
import TestSupport
import XCTest

final class FileTests: SiteTestCase {
  func test_getSendsTheBytesAndWhatIsKnownOfThem() throws {
    let site = try serve()
    try site.write("hello".utf8, to: "greeting.txt")
    // The example of RFC 9110, section 5.6.7.
    try FileManager.default.setAttributes(
      [.modificationDate: Date(timeIntervalSince1970: 784_111_777)],
      ofItemAtPath: site.path("greeting.txt"))
    let response = try site.get("/greeting.txt")
    XCTAssertEqual(response.statusLine, "HTTP/1.1 200 OK")
    XCTAssertEqual(response.text, "hello")
    XCTAssertEqual(response["Content-Length"], "5")
    XCTAssertEqual(response["Content-Type"], "text/plain; charset=utf-8")
    XCTAssertEqual(response["Last-Modified"], "Sun, 06 Nov 1994 08:49:37 GMT")
    let tag = try XCTUnwrap(response["ETag"])
    XCTAssertTrue(tag.count > 2 && tag.hasPrefix("\"") && tag.hasSuffix("\""), tag)
  }

  func test_headSendsTheSameHeaderAndNoBody() throws {
    let site = try serve()
    try site.write(Pattern.block(1, byteCount: 300_000), to: "picture.png")
    let client = try site.client()
    let got = try client.get("/picture.png")
    let asked = try client.ask("HEAD", "/picture.png")
    for name in ["Content-Type", "Content-Length", "Last-Modified", "ETag"] {
      XCTAssertNotNil(got[name], name)
      XCTAssertEqual(asked[name], got[name], name)
    }
    // A body would precede this response.
    try client.begin("HEAD", "/picture.png", headers: ["Connection: close"])
    XCTAssertEqual(try client.readHead().code, 200)
    XCTAssertEqual(try client.readToEnd(), [])
  }

  func test_headSendsNoBody_forAListingAndForARefusal() throws {
    let site = try serve()
    let client = try site.client()
    XCTAssertEqual(try client.ask("HEAD", "/missing").code, 404)
    try client.begin("HEAD", "/", headers: ["Connection: close"])
    let response = try client.readHead()
    XCTAssertEqual(response.code, 200)
    XCTAssertNil(response["Content-Length"])
    XCTAssertEqual(try client.readToEnd(), [])
  }

  func test_getSendsEveryByte_whateverTheLength() throws {
    let site = try serve()
    let piece = 128 * 1024
    let lengths = [
      0, 1, piece - 1, piece, piece + 1, 2 * piece, 2 * piece + 1, 3 * 1024 * 1024 + 1,
    ]
    let bytes = Pattern.block(2, byteCount: lengths.max() ?? 0)
    let client = try site.client()
    for length in lengths {
      try site.write(bytes.prefix(length), to: "file")
      let response = try client.get("/file")
      XCTAssertEqual(response.code, 200)
      XCTAssertEqual(response["Content-Length"], "\(length)")
      XCTAssertTrue(response.body.elementsEqual(bytes.prefix(length)), "\(length) bytes")
    }
  }

  func test_entityTagChanges_whenTheContentDoes() throws {
    let site = try serve()
    try site.write("one".utf8, to: "file")
    let first = try site.get("/file")["ETag"]
    XCTAssertEqual(try site.get("/file")["ETag"], first)
    try site.write("two, and longer".utf8, to: "file")
    XCTAssertNotEqual(try site.get("/file")["ETag"], first)
  }

  func test_encodedNameIsDecodedOnce() throws {
    let site = try serve()
    try site.write("space".utf8, to: "a b.txt")
    try site.write("percent".utf8, to: "%61.txt")
    try site.write("letter".utf8, to: "a.txt")
    try site.write("plus".utf8, to: "a+b.txt")
    XCTAssertEqual(try site.get("/a%20b.txt").text, "space")
    XCTAssertEqual(try site.get("/%2561.txt").text, "percent")
    XCTAssertEqual(try site.get("/%61.txt").text, "letter")
    XCTAssertEqual(try site.get("/a+b.txt").text, "plus")
  }

  func test_queryAndFragmentAreNoPartOfTheName() throws {
    let site = try serve()
    try site.write("here".utf8, to: "file")
    for target in ["/file?", "/file?version=1", "/file?a=/../b", "/file#part", "http://h/file?a"] {
      XCTAssertEqual(try site.get(target).text, "here", target)
    }
  }

  func test_nothingIsFound_underAMissingName() throws {
    let site = try serve()
    try site.write("here".utf8, to: "file")
    let long = String(repeating: "n", count: 300)
    let targets = ["/missing", "/missing/", "/missing/file", "/file/below", "/File", "/\(long)"]
    for target in targets {
      XCTAssertEqual(try site.get(target).code, 404, target)
    }
  }

  func test_fileIsNotFound_asADirectory() throws {
    let site = try serve()
    try site.write("here".utf8, to: "file")
    for target in ["/file/", "/file//", "/file/.", "/file/./", "/file%2f"] {
      XCTAssertEqual(try site.get(target).code, 404, target)
    }
  }

  func test_lengthPromisedIsKept_whenTheFileGrowsWhileItIsSent() throws {
    let site = try serve()
    let length = 32 * 1024 * 1024
    try site.setLength(length, of: "growing")
    let client = try site.client(receiveBufferByteCount: 16 * 1024)
    try client.begin("GET", "/growing")
    XCTAssertEqual(try client.readHead().contentLength, length)
    try site.setLength(2 * length, of: "growing")
    XCTAssertEqual(try client.skip(byteCount: length), length)
    XCTAssertEqual(try client.ask("HEAD", "/growing").contentLength, 2 * length)
  }

  func test_connectionIsCut_whenTheFileShrinksWhileItIsSent() throws {
    let site = try serve()
    let length = 32 * 1024 * 1024
    try site.setLength(length, of: "shrinking")
    let client = try site.client(receiveBufferByteCount: 16 * 1024)
    try client.begin("GET", "/shrinking")
    XCTAssertEqual(try client.readHead().contentLength, length)
    try site.setLength(1, of: "shrinking")
    // The bytes in flight arrive; then the connection ends, because no correct byte could follow.
    XCTAssertLessThan(try client.skip(byteCount: length), length)
    XCTAssertEqual(try site.get("/shrinking").body, [0])
    // Nothing waits for the end of a response that was cut off.
    site.server.send(SIGTERM)
    XCTAssertEqual(try site.server.waitForEnd().status, 0)
  }

  func test_lastModifiedIsNeverAfterTheDate_ofAFileFromTheFuture() throws {
    let site = try serve("--open-file-validity", "60")
    try site.write("new".utf8, to: "file")
    let future = Date(timeIntervalSinceNow: 86_400)
    try FileManager.default.setAttributes(
      [.modificationDate: future], ofItemAtPath: site.path("file"))
    for headers in [[], ["Range: bytes=0-0"]] {
      let response = try site.client().ask("GET", "/file", headers: headers)
      let date = try XCTUnwrap(response["Date"].flatMap { HTTPDate($0) })
      let modified = try XCTUnwrap(response["Last-Modified"].flatMap { HTTPDate($0) })
      XCTAssertLessThanOrEqual(modified, date)
      XCTAssertGreaterThan(modified.secondsSinceEpoch, date.secondsSinceEpoch - 60)
    }
  }

  func test_noResponseMayBeReadAsAnotherType() throws {
    let site = try serve("--stats", "--upload")
    try site.write("text".utf8, to: "file.txt")
    try site.makeDirectory("sub")
    for (method, target) in [
      ("GET", "/file.txt"), ("HEAD", "/file.txt"), ("GET", "/"), ("GET", "/missing"),
      ("GET", "/_stats"), ("GET", "/sub"), ("DELETE", "/file.txt"), ("GET", "not a target"),
    ] {
      let response = try site.ask(method, target)
      let fields = response.fields.filter { $0.name == "X-Content-Type-Options" }
      XCTAssertEqual(fields.map(\.value), ["nosniff"], "\(method) \(target)")
    }
  }
}
