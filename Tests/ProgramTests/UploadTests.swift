import Foundation
import Glibc
import TestSupport
import XCTest

final class UploadTests: SiteTestCase {
  func test_uploadMakesAFile_andReplacesIt() throws {
    let site = try serve("--upload")
    let client = try site.client()
    XCTAssertEqual(try client.put("/file", "first and longer".utf8).code, 201)
    XCTAssertEqual(try site.text(of: "file"), "first and longer")
    let response = try client.put("/file", "second".utf8)
    XCTAssertEqual(response.code, 204)
    XCTAssertEqual(response.body, [])
    XCTAssertEqual(try site.text(of: "file"), "second")
    XCTAssertEqual(try client.get("/file").text, "second")
    XCTAssertEqual(try site.names(), ["file"])
  }

  func test_uploadArrivesWhole_whateverItsLength() throws {
    let site = try serve("--upload")
    let piece = 256 * 1024
    let lengths = [0, 1, piece - 1, piece, piece + 1, 3 * 1024 * 1024 + 1]
    let bytes = Pattern.block(3, byteCount: lengths.max() ?? 0)
    for length in lengths {
      XCTAssertEqual(try site.put("/\(length)", bytes.prefix(length)).code, 201)
      XCTAssertTrue(
        try site.contents(of: "\(length)").elementsEqual(bytes.prefix(length)), "\(length) bytes")
    }
    XCTAssertEqual(try site.names(), lengths.map { "\($0)" }.sorted())
  }

  func test_uploadMakesAFile_inASubdirectory() throws {
    let site = try serve("--upload")
    try site.makeDirectory("sub/deep")
    XCTAssertEqual(try site.put("/sub/deep/a%20b", "new".utf8).code, 201)
    XCTAssertEqual(try site.text(of: "sub/deep/a b"), "new")
    XCTAssertEqual(try site.put("/sub//deep/./a%20b", "newer".utf8).code, 204)
    XCTAssertEqual(try site.text(of: "sub/deep/a b"), "newer")
    XCTAssertEqual(try site.names(in: "sub/deep"), ["a b"])
    XCTAssertEqual(try site.names(), ["sub"])
  }

  func test_uploadConflicts_whereItsDirectoryIsMissing() throws {
    let site = try serve("--upload")
    try site.write("old".utf8, to: "file")
    for target in ["/missing/file", "/missing/deep/file", "/file/below"] {
      XCTAssertEqual(try site.put(target, "new".utf8).code, 409, target)
    }
    XCTAssertEqual(try site.names(), ["file"])
    XCTAssertEqual(try site.text(of: "file"), "old")
  }

  func test_uploadConflicts_withADirectory() throws {
    let site = try serve("--upload")
    try site.makeDirectory("sub/deep")
    try site.makeDirectory("empty")
    let targets = ["/", "/.", "/sub", "/sub/", "/sub/deep", "/empty", "/empty/", "/empty/."]
    for target in targets {
      XCTAssertEqual(try site.put(target, "new".utf8).code, 409, target)
    }
    for target in ["/new/", "/new/."] {
      XCTAssertEqual(try site.put(target, "new".utf8).code, 409, target)
    }
    XCTAssertEqual(try site.names(), ["empty", "sub"])
    XCTAssertEqual(try site.names(in: "sub"), ["deep"])
    XCTAssertEqual(try site.names(in: "empty"), [])
  }

  func test_uploadIsReadableByOthers_asTheProcessAllows() throws {
    let site = try serve("--upload")
    XCTAssertEqual(try site.put("/file", "new".utf8).code, 201)
    let attributes = try FileManager.default.attributesOfItem(atPath: site.path("file"))
    let permissions = try XCTUnwrap(attributes[.posixPermissions] as? Int)
    XCTAssertEqual(permissions, 0o666 & ~processUmask())
  }

  func test_uploadKeepsModeAndOwner_ofTheFileThatItReplaces() throws {
    let site = try serve("--upload")
    let isRoot = geteuid() == 0
    for mode in [0o600, 0o664, 0o4755] {
      try site.write("old".utf8, to: "file")
      if isRoot { XCTAssertEqual(unsafe chown(site.path("file"), 1234, 5678), 0) }
      try site.setPermissions(mode, of: "file")
      XCTAssertEqual(try site.put("/file", "new".utf8).code, 204)
      let attributes = try FileManager.default.attributesOfItem(atPath: site.path("file"))
      // A client's file never runs as its owner.
      XCTAssertEqual(attributes[.posixPermissions] as? Int, mode & 0o777)
      if isRoot {
        XCTAssertEqual(attributes[.ownerAccountID] as? Int, 1234)
        XCTAssertEqual(attributes[.groupOwnerAccountID] as? Int, 5678)
      }
    }
  }

  func test_uploadTakesNothingOver_fromASymbolicLinkThatItReplaces() throws {
    let site = try serve("--upload")
    try site.write("old".utf8, to: "target")
    try site.setPermissions(0o600, of: "target")
    try site.makeLink("link", to: "target")
    XCTAssertEqual(try site.put("/link", "new".utf8).code, 204)
    let attributes = try FileManager.default.attributesOfItem(atPath: site.path("link"))
    XCTAssertEqual(attributes[.type] as? FileAttributeType, .typeRegular)
    XCTAssertEqual(attributes[.posixPermissions] as? Int, 0o666 & ~processUmask())
    XCTAssertEqual(try site.text(of: "target"), "old")
  }

  func test_responseToAnUploadHasTheTagOfTheNewFile() throws {
    let site = try serve("--upload")
    for code in [201, 204] {
      let response = try site.put("/file", "content \(code)".utf8)
      XCTAssertEqual(response.code, code)
      let tag = try XCTUnwrap(response["ETag"])
      XCTAssertEqual(try site.get("/file")["ETag"], tag)
      let client = try site.client()
      XCTAssertEqual(
        try client.ask("GET", "/file", headers: ["If-None-Match: \(tag)"]).code, 304)
    }
  }

  func test_readerKeepsTheOldFile_whileItIsReplaced() throws {
    let site = try serve("--upload")
    let length = 32 * 1024 * 1024
    try site.setLength(length, of: "file")
    let reader = try site.client(receiveBufferByteCount: 16 * 1024)
    try reader.begin("GET", "/file")
    XCTAssertEqual(try reader.readHead().contentLength, length)
    XCTAssertEqual(try site.put("/file", "new".utf8).code, 204)
    XCTAssertEqual(try site.get("/file").text, "new")
    XCTAssertEqual(try reader.skip(byteCount: length), length)
  }

  func test_uploadsToOneNameLeaveOneOfThemWhole_whenTheyRunAtOnce() throws {
    let site = try serve("--upload")
    let blocks = (0..<8).map { Pattern.block($0, byteCount: 300_000) }
    let clients = try blocks.map { _ in try site.client() }
    for (client, block) in zip(clients, blocks) { try client.begin("PUT", "/file", body: block) }
    let codes = try clients.map { try $0.readResponse().code }
    XCTAssertTrue(codes.allSatisfy { $0 == 201 || $0 == 204 }, "\(codes)")
    XCTAssertTrue(blocks.contains(try site.contents(of: "file")))
    XCTAssertEqual(try site.names(), ["file"])
  }

  // MARK: How a body comes

  func test_uploadMayComeInChunks() throws {
    let site = try serve("--upload")
    let client = try site.client()
    try client.begin("PUT", "/file", headers: ["Transfer-Encoding: chunked"])
    try client.send("5\r\nhello\r\n")
    try client.send("7\r\n, world\r\n0\r\n\r\n")
    XCTAssertEqual(try client.readResponse().code, 201)
    XCTAssertEqual(try site.text(of: "file"), "hello, world")
  }

  func test_clientGets100_whenItExpectsIt() throws {
    let site = try serve("--upload", "--max-upload", "1000")
    let client = try site.client()
    try client.begin(
      "PUT", "/file", headers: ["Expect: 100-continue", "Content-Length: 5"])
    XCTAssertEqual(try client.readHead().code, 100)
    try client.send("hello")
    XCTAssertEqual(try client.readResponse().code, 201)
    XCTAssertEqual(try site.text(of: "file"), "hello")
  }

  func test_clientIsRefusedInsteadOfGetting100_whenItsBodyIsTooLarge() throws {
    let site = try serve("--upload", "--max-upload", "1000")
    let client = try site.client()
    try client.begin(
      "PUT", "/file", headers: ["Expect: 100-continue", "Content-Length: 1001"])
    XCTAssertEqual(try client.readHead().code, 413)
    XCTAssertEqual(try site.names(), [])
  }

  func test_uploadIsTaken_upToTheLimitAndNotOverIt() throws {
    let site = try serve("--upload", "--max-upload", "100000")
    try site.write("old".utf8, to: "file")
    let bytes = Pattern.block(4, byteCount: 100_001)
    XCTAssertEqual(try site.put("/file", bytes).code, 413)
    XCTAssertEqual(try site.put("/new", bytes).code, 413)
    XCTAssertEqual(try site.names(), ["file"])
    XCTAssertEqual(try site.text(of: "file"), "old")
    XCTAssertEqual(try site.put("/file", bytes.dropLast()).code, 204)
    XCTAssertEqual(try site.contents(of: "file"), bytes.dropLast())
  }

  func test_chunkedUploadIsTaken_upToTheLimitAndNotOverIt() throws {
    let site = try serve("--upload", "--max-upload", "1000")
    let chunk = "1f4\r\n" + String(repeating: "x", count: 500) + "\r\n"
    for (body, code) in [(chunk + chunk, 201), (chunk + chunk + "1\r\nx\r\n", 413)] {
      let client = try site.client()
      try client.begin("PUT", "/\(code)", headers: ["Transfer-Encoding: chunked"])
      try client.send(body + "0\r\n\r\n")
      XCTAssertEqual(try client.readResponse().code, code)
    }
    XCTAssertEqual(try site.names(), ["201"])
  }

  func test_onlyAnEmptyUploadIsTaken_whenTheLimitIsNothing() throws {
    let site = try serve("--upload", "--max-upload", "0")
    XCTAssertEqual(try site.put("/empty", []).code, 201)
    XCTAssertEqual(try site.put("/one", [1]).code, 413)
    XCTAssertEqual(try site.names(), ["empty"])
  }

  func test_nothingIsWritten_whenTheClientVanishesInItsBody() throws {
    let site = try serve("--upload")
    try site.write("old".utf8, to: "file")
    let client = try site.client()
    try client.begin("PUT", "/file", headers: ["Content-Length: 100000"])
    try client.send(Pattern.block(5, byteCount: 50_000))
    client.vanish()
    XCTAssertEqual(try site.get("/file").text, "old")
    XCTAssertEqual(try site.names(), ["file"])
  }
}
