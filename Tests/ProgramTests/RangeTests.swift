import Foundation
import SystemPackage
import TestSupport
import XCTest

/// Parts of files, conditions, and precompressed files.
final class RangeTests: SiteTestCase {
  private let bytes = Pattern.block(3, byteCount: 300_000)

  private func ask(
    _ site: Site, _ target: String, _ headers: String..., method: String = "GET"
  ) throws -> Response {
    let client = try site.client()
    let response = try client.ask(method, target, headers: headers)
    // Bytes after the response would precede this one.
    XCTAssertEqual(try client.ask("HEAD", "/missing").code, 404)
    return response
  }

  func test_partIsSent() throws {
    let site = try serve()
    try site.write(bytes, to: "file.png")
    for (header, range) in [
      ("0-0", 0..<1), ("1-262144", 1..<262_145), ("299999-", 299_999..<300_000),
      ("-10", 299_990..<300_000), ("0-", 0..<300_000), ("5-400000", 5..<300_000),
      ("0-99,50-149", 0..<150),
    ] {
      let response = try ask(site, "/file.png", "Range: bytes=\(header)")
      XCTAssertEqual(response.statusLine, "HTTP/1.1 206 Partial Content", header)
      XCTAssertEqual(
        response["Content-Range"], "bytes \(range.lowerBound)-\(range.upperBound - 1)/300000")
      XCTAssertEqual(response["Content-Type"], "image/png")
      XCTAssertEqual(response["Accept-Ranges"], "bytes")
      XCTAssertNotNil(response["ETag"])
      XCTAssertTrue(response.body.elementsEqual(bytes[range]), header)
    }
  }

  func test_severalPartsAreSent_eachWithItsHeader() throws {
    let site = try serve()
    try site.write(bytes, to: "file.png")
    let response = try ask(site, "/file.png", "Range: bytes=200000-299999, 0-9, -0, 1000-140000")
    XCTAssertEqual(response.code, 206)
    XCTAssertNil(response["Content-Range"])
    let type = try XCTUnwrap(response["Content-Type"])
    let prefix = "multipart/byteranges; boundary="
    XCTAssertTrue(type.hasPrefix(prefix), type)
    let boundary = String(type.dropFirst(prefix.count))
    var expected: [UInt8] = []
    for (index, range) in [200_000..<300_000, 0..<10, 1_000..<140_001].enumerated() {
      expected += Array(
        """
        \(index == 0 ? "" : "\r\n")--\(boundary)\r\nContent-Type: image/png\r\n\
        Content-Range: bytes \(range.lowerBound)-\(range.upperBound - 1)/300000\r\n\r\n
        """.utf8)
      expected += bytes[range]
    }
    expected += Array("\r\n--\(boundary)--\r\n".utf8)
    XCTAssertTrue(response.body == expected)
  }

  func test_nothingIsSent_ofWhatTheFileDoesNotHave() throws {
    let site = try serve()
    try site.write(bytes, to: "file")
    let response = try ask(site, "/file", "Range: bytes=300000-")
    XCTAssertEqual(response.code, 416)
    XCTAssertEqual(response["Content-Range"], "bytes */300000")
  }

  func test_emptyFileIsSentWhole_whateverTheRange() throws {
    let site = try serve()
    try site.write([], to: "empty")
    for range in ["bytes=0-", "bytes=0-9", "bytes=-1", "bytes=5-"] {
      let response = try ask(site, "/empty", "Range: \(range)")
      XCTAssertEqual(response.code, 200, range)
      XCTAssertEqual(response["Content-Length"], "0", range)
      XCTAssertNil(response["Content-Range"], range)
    }
  }

  func test_wholeIsSent_whereTheRangeDoesNotCount() throws {
    let site = try serve()
    try site.write(bytes, to: "file")
    let many = "bytes=" + (0..<40).map { "\($0 * 1000)-\($0 * 1000)" }.joined(separator: ",")
    for headers in [
      ["Range: bytes=5-1"], ["Range: lines=0-1"], ["Range: \(many)"],
      ["Range: bytes=0-1", "If-Range: \"another\""],
    ] {
      let response = try site.client().ask("GET", "/file", headers: headers)
      XCTAssertEqual(response.code, 200, "\(headers)")
      XCTAssertTrue(response.body == bytes, "\(headers)")
    }
    let head = try ask(site, "/file", "Range: bytes=0-1", method: "HEAD")
    XCTAssertEqual(head.code, 200)
    XCTAssertEqual(head.contentLength, 300_000)
  }

  func test_downloadGoesOn_withTheVersionThatItBegan() throws {
    let site = try serve()
    try site.write(bytes, to: "file")
    try FileManager.default.setAttributes(
      [.modificationDate: Date(timeIntervalSince1970: 784_111_777)],
      ofItemAtPath: site.path("file"))
    let tag = try XCTUnwrap(try site.get("/file")["ETag"])
    for condition in [tag, "Sun, 06 Nov 1994 08:49:37 GMT"] {
      XCTAssertEqual(
        try ask(site, "/file", "Range: bytes=9-", "If-Range: \(condition)").code, 206, condition)
    }
    try site.write(bytes.reversed(), to: "file")
    for condition in [tag, "Sun, 06 Nov 1994 08:49:37 GMT"] {
      let response = try ask(site, "/file", "Range: bytes=9-", "If-Range: \(condition)")
      XCTAssertEqual(response.code, 200, condition)
      XCTAssertTrue(response.body.elementsEqual(bytes.reversed()))
    }
  }

  func test_conditionsAreKept_byGetAndHeadAlike() throws {
    let site = try serve()
    try site.write(bytes, to: "file.css")
    let first = try site.get("/file.css")
    let tag = try XCTUnwrap(first["ETag"])
    let date = try XCTUnwrap(first["Last-Modified"])
    for method in ["GET", "HEAD"] {
      for header in ["If-None-Match: \(tag)", "If-None-Match: *", "If-Modified-Since: \(date)"] {
        let client = try site.client()
        try client.begin(method, "/file.css", headers: [header, "Connection: close"])
        let response = try client.readHead()
        XCTAssertEqual(response.code, 304, header)
        XCTAssertEqual(response["ETag"], tag)
        XCTAssertEqual(response["Vary"], "Accept-Encoding")
        XCTAssertEqual(try client.readToEnd(), [], header)
      }
      for header in ["If-Match: \"b\"", "If-Unmodified-Since: Sun, 06 Nov 1994 08:49:37 GMT"] {
        XCTAssertEqual(try ask(site, "/file.css", header, method: method).code, 412, header)
      }
      XCTAssertEqual(try ask(site, "/file.css", "If-Match: \(tag)", method: method).code, 200)
    }
  }

  func test_uploadKeepsItsConditions() throws {
    let site = try serve("--upload")
    func put(_ text: String, _ header: String) throws -> Int {
      try site.client().ask("PUT", "/file", headers: [header], body: Array(text.utf8)).code
    }
    XCTAssertEqual(try put("none", "If-Match: *"), 412)
    XCTAssertEqual(try put("first", "If-None-Match: *"), 201)
    XCTAssertEqual(try put("second", "If-None-Match: *"), 412)
    let tag = try XCTUnwrap(try site.get("/file")["ETag"])
    XCTAssertEqual(try put("third", "If-Match: \(tag)"), 204)
    XCTAssertEqual(try put("fourth", "If-Match: \(tag)"), 412)
    XCTAssertEqual(try put("fifth", "Content-Range: bytes 0-4/10"), 400)
    XCTAssertEqual(try site.text(of: "file"), "third")
  }

  func test_precompressedFileIsSent_toClientsThatAcceptIt() throws {
    let site = try serve()
    try site.write("plain text".utf8, to: "a.txt")
    try site.write("compressed".utf8 + [0], to: "a.txt.gz")
    let plain = try site.get("/a.txt")
    XCTAssertEqual(plain.text, "plain text")
    XCTAssertNil(plain["Content-Encoding"])
    XCTAssertEqual(plain["Vary"], "Accept-Encoding")
    let gzip = try ask(site, "/a.txt", "Accept-Encoding: br, gzip")
    XCTAssertEqual(gzip.text, "compressed\0")
    XCTAssertEqual(gzip["Content-Encoding"], "gzip")
    XCTAssertEqual(gzip["Content-Type"], "text/plain; charset=utf-8")
    XCTAssertEqual(gzip["Vary"], "Accept-Encoding")
    let tag = try XCTUnwrap(gzip["ETag"])
    XCTAssertNotEqual(tag, plain["ETag"])
    let head = try ask(site, "/a.txt", "Accept-Encoding: gzip", method: "HEAD")
    XCTAssertEqual(head["ETag"], tag)
    XCTAssertEqual(head.contentLength, 11)
    XCTAssertEqual(try ask(site, "/a.txt", "Accept-Encoding: gzip;q=0").text, "plain text")
    XCTAssertEqual(try site.get("/a.txt.gz")["Content-Type"], "application/gzip")
  }

  func test_smallestPrecompressedFormIsSent_thatTheClientAcceptsAndThatIsNotOlder() throws {
    let site = try serve()
    try site.write("plain".utf8, to: "a.txt")
    for name in ["br", "zst", "gz"] { try site.write(name.utf8, to: "a.txt.\(name)") }
    for (accept, text, coding) in [
      ("gzip, deflate, br, zstd", "br", "br"), ("gzip, zstd", "zst", "zstd"),
      ("gzip", "gz", "gzip"),
      ("br;q=0.5, gzip", "gz", "gzip"), ("identity", "plain", nil),
    ] {
      let response = try ask(site, "/a.txt", "Accept-Encoding: \(accept)")
      XCTAssertEqual(response.text, text, accept)
      XCTAssertEqual(response["Content-Encoding"], coding, accept)
      XCTAssertEqual(response["Vary"], "Accept-Encoding", accept)
      XCTAssertEqual(response["Content-Type"], "text/plain; charset=utf-8", accept)
    }
    let all = "Accept-Encoding: br, zstd, gzip"
    let tags = try ["br", "zstd", "gzip", "identity"].map { accept in
      try XCTUnwrap(ask(site, "/a.txt", "Accept-Encoding: \(accept)")["ETag"])
    }
    XCTAssertEqual(Set(tags).count, 4)
    let continued = try ask(site, "/a.txt", all, "Range: bytes=1-", "If-Range: \(tags[1])")
    XCTAssertEqual(continued.text, "st")
    XCTAssertEqual(continued["Content-Encoding"], "zstd")
    try FileManager.default.setAttributes(
      [.modificationDate: Date(timeIntervalSince1970: 1)], ofItemAtPath: site.path("a.txt.br"))
    XCTAssertEqual(try ask(site, "/a.txt", all).text, "zst")
  }

  func test_rangeIsOfThePlainFile_exceptWhenTheCompressedOneIsNamed() throws {
    let site = try serve()
    try site.write("plain text".utf8, to: "a.txt")
    try site.write("compressed".utf8, to: "a.txt.gz")
    let accept = "Accept-Encoding: gzip"
    let tag = try XCTUnwrap(try ask(site, "/a.txt", accept)["ETag"])
    let plain = try ask(site, "/a.txt", accept, "Range: bytes=0-3")
    XCTAssertEqual(plain.text, "plai")
    XCTAssertNil(plain["Content-Encoding"])
    let gzip = try ask(site, "/a.txt", accept, "Range: bytes=0-3", "If-Range: \(tag)")
    XCTAssertEqual(gzip.text, "comp")
    XCTAssertEqual(gzip["Content-Encoding"], "gzip")
  }

  func test_precompressedFileIsLeftOut_whereItIsNoneOrOld() throws {
    let site = try serve("--open-files", "0")
    try site.write("plain".utf8, to: "old.txt")
    try site.write("compressed".utf8, to: "old.txt.gz")
    try FileManager.default.setAttributes(
      [.modificationDate: Date(timeIntervalSince1970: 784_111_777)],
      ofItemAtPath: site.path("old.txt.gz"))
    try site.write("plain".utf8, to: "folder.txt")
    try site.makeDirectory("folder.txt.gz")
    try site.write("plain".utf8, to: "link.txt")
    try site.makeLink("link.txt.gz", to: "\(site.outside)/secret")
    try site.write("plain".utf8, to: "picture.png")
    try site.write("compressed".utf8, to: "picture.png.gz")
    try site.write("compressed".utf8, to: "alone.txt.gz")
    for name in ["old.txt", "folder.txt", "link.txt", "picture.png"] {
      XCTAssertEqual(try ask(site, "/\(name)", "Accept-Encoding: gzip").text, "plain", name)
    }
    XCTAssertEqual(try ask(site, "/alone.txt", "Accept-Encoding: gzip").code, 404)
    XCTAssertFalse(
      try site.server.descriptors().contains { $0.hasPrefix(site.root.string + "/") })
  }
}
