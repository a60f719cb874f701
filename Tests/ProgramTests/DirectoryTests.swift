import Foundation
import Glibc
import SystemPackage
import TestSupport
import XCTest

final class DirectoryTests: SiteTestCase {
  func test_indexIsSent_forADirectoryThatHasOne() throws {
    let site = try serve()
    try site.makeDirectory("sub")
    try site.write("<p>root".utf8, to: "index.html")
    try site.write("<p>sub".utf8, to: "sub/index.html")
    for (target, text) in [("/", "<p>root"), ("/./", "<p>root"), ("/sub/", "<p>sub")] {
      let response = try site.get(target)
      XCTAssertEqual(response.code, 200, target)
      XCTAssertEqual(response.text, text, target)
      XCTAssertEqual(response["Content-Type"], "text/html; charset=utf-8", target)
      XCTAssertNotNil(response["ETag"], target)
    }
  }

  func test_listingIsSent_whereTheIndexIsADirectory() throws {
    let site = try serve()
    try site.makeDirectory("index.html")
    let response = try site.get("/")
    XCTAssertEqual(response.code, 200)
    XCTAssertTrue(Self.links(in: response.text).contains("index.html/"))
  }

  func test_listingLinksLeadToWhatIsThere_whateverItsName() throws {
    let site = try serve()
    let names = [
      "plain.txt", "a b", "<script>alert(1)<", "&amp;", "\"quoted\"", "'", "100%", "%41", "what?",
      "part#1", "c:colon", "back\\slash", "ünïcödé", "\u{65E5}\u{672C}", "semi;colon", "a+b",
      "line\nbreak", "http:", "~tilde", "<\u{301}>",
    ]
    for name in names { try site.write("content of \(name)".utf8, to: name) }
    let page = try site.get("/")
    XCTAssertEqual(page.code, 200)
    XCTAssertEqual(page["Content-Type"], "text/html; charset=utf-8")
    XCTAssertFalse(page.text.contains("<script"))
    let links = Self.links(in: page.text)
    XCTAssertEqual(links.count, names.count)
    let texts = try links.map { try site.get("/\($0)").text }
    XCTAssertEqual(texts.sorted(), names.map { "content of \($0)" }.sorted())
  }

  func test_listingLeadsToAFile_whoseNameIsNotUTF8() throws {
    let site = try serve()
    let name: [UInt8] = [0x66, 0xFF, 0xFE, 0x80, 0x2E, 0x74, 0x78, 0x74]
    // The array ends with the required NUL.
    let path = unsafe FilePath(
      platformString: (Array(site.path("").utf8) + name).map { CChar(bitPattern: $0) } + [0])
    let file = try FileDescriptor.open(
      path, .writeOnly, options: .create, permissions: .ownerReadWrite)
    try file.closeAfter { _ = try file.writeAll("odd".utf8) }
    XCTAssertEqual(Self.links(in: try site.get("/").text), ["f%FF%FE%80.txt"])
    let response = try site.get("/f%FF%FE%80.txt")
    XCTAssertEqual(response.text, "odd")
    XCTAssertEqual(response["Content-Type"], "text/plain; charset=utf-8")
  }

  func test_listingShowsDirectoriesFirstAndTheWayUp_andNothingHidden() throws {
    let site = try serve()
    try site.makeDirectory("sub/z")
    for name in ["sub/a", "sub/.hidden", "sub/.\u{301}hidden", "sub/..."] {
      try site.write("1234".utf8, to: name)
    }
    let page = try site.get("/sub/").text
    XCTAssertEqual(Self.links(in: page), ["../", "z/", "a"])
    XCTAssertTrue(page.contains("<td title=\"4 bytes\">4 B</td>"))
    XCTAssertTrue(page.contains("<h1><a href=\"../\">root</a><span> / </span>sub</h1>"))
    XCTAssertFalse(page.contains("hidden"))
    XCTAssertEqual(Self.links(in: try site.get("/").text), ["sub/"])
  }

  func test_listingHasEveryNameInOrder_ofALargeDirectory() throws {
    let site = try serve()
    // Several steps of reading, and several pieces of the page.
    let names = (0..<2500).map { "file-\($0)" }
    for name in names { try site.write([], to: name) }
    for (query, sorted) in [("", names.sorted()), ("?sort=-name", names.sorted(by: >))] {
      let response = try site.get("/\(query)")
      XCTAssertEqual(response["Transfer-Encoding"], "chunked")
      XCTAssertEqual(Self.links(in: response.text), sorted)
      XCTAssertTrue(response.text.contains("0 directories, 2500 files, 0 B"))
      XCTAssertTrue(response.text.hasSuffix("</html>\n"))
    }
  }

  func test_listingHasNoLinkToItself_thatProgramsWouldFollow() throws {
    let site = try serve()
    try site.write([], to: "file")
    for query in ["", "?sort=size"] {
      let page = try site.get("/\(query)").text
      XCTAssertFalse(page.contains("href=\"?"), page)
      XCTAssertTrue(page.contains("<form id=\"order\" rel=\"nofollow\">"), page)
      let value = query.isEmpty ? "size" : "-size"
      XCTAssertTrue(page.contains("name=\"sort\" value=\"\(value)\">"), page)
    }
  }

  func test_headOfAListing_hasTheHeaderOnly() throws {
    let site = try serve()
    try site.write([], to: "file")
    let client = try site.client()
    let response = try client.ask("HEAD", "/")
    XCTAssertEqual(response.code, 200)
    XCTAssertEqual(response["Content-Type"], "text/html; charset=utf-8")
    XCTAssertEqual(try client.get("/file").code, 200)
  }

  func test_listingsEnd_whenTheirClientsVanish() throws {
    let site = try serve("--stats")
    for index in 0..<3000 { try site.write([], to: "file-\(index)") }
    let clients = try (0..<8).map { _ in try site.client(receiveBufferByteCount: 4096) }
    for client in clients {
      try client.begin("GET", "/")
      _ = try client.readHead()
    }
    for client in clients { client.vanish() }
    let client = try site.client()
    try repeatUntil("the listings have ended") {
      let text = try client.get("/metrics").text
      return text.contains("aio_fileserver_responses_in_progress{loop=\"0\"} 1\n")
    }
    XCTAssertEqual(Self.links(in: try client.get("/").text).count, 3000)
    let directory = "\(site.root)"
    try repeatUntil("the directories are closed") {
      try site.server.descriptors().filter { $0 == directory }.count == 1
    }
  }

  func test_directoryIsRedirected_toItsNameWithASlash() throws {
    let site = try serve()
    try site.makeDirectory("sub/a b")
    for (target, location) in [
      ("/sub", "sub/"), ("/sub/a%20b", "a%20b/"), ("/sub%2Fa%20b", "sub%2Fa%20b/"),
      ("/sub?a=b&c=%2F?d", "sub/?a=b&c=%2F?d"), ("/sub?", "sub/?"),
      ("http://host/sub?query", "sub/?query"),
    ] {
      let response = try site.get(target)
      XCTAssertEqual(response.code, 301, target)
      XCTAssertEqual(response["Location"], location, target)
    }
  }

  func test_redirectionNeverNamesAnotherHost() throws {
    let site = try serve()
    try site.makeDirectory("host/sub")
    try site.makeDirectory("\\host")
    try site.makeDirectory("\t/host")
    let targets = [
      "//host", "///host", "//host/sub", "/%2fhost", "/%2Fhost", "/.//host", "/./%2fhost",
      "/\\host",
      "/%5chost", "/\t/host", "/%09/host",
    ]
    for target in targets {
      let response = try site.get(target)
      // A target with a raw tab may be refused as invalid.
      guard response.code != 400 else { continue }
      XCTAssertEqual(response.code, 301, target)
      let location = try XCTUnwrap(response["Location"], target)
      // One name, without a character that could begin a host or a scheme.
      XCTAssertNotNil(
        location.range(of: "^[A-Za-z0-9%._~-]+/$", options: .regularExpression), location)
      let base = try XCTUnwrap(URL(string: "http://origin"))
      let resolved = try XCTUnwrap(URL(string: location, relativeTo: base))
      XCTAssertEqual(resolved.host, "origin", location)
    }
    for target in ["//host/..", "//host/sub/..", "//host/%2e%2e"] {
      let response = try site.get(target)
      XCTAssertEqual(response.code, 404, target)
      XCTAssertNil(response["Location"], target)
    }
  }

  func test_listingIsSorted_byTheQuery() throws {
    let site = try serve()
    try site.makeDirectory("folder")
    for (name, text) in [("b", "1"), ("a", "333"), ("c", "22")] {
      try site.write(text.utf8, to: name)
    }
    for (query, links) in [
      ("", ["folder/", "a", "b", "c"]), ("?sort=-name", ["folder/", "c", "b", "a"]),
      ("?sort=size", ["folder/", "b", "c", "a"]), ("?sort=-size", ["folder/", "a", "c", "b"]),
      ("?sort=<script>&sort=%00", ["folder/", "a", "b", "c"]),
    ] {
      let response = try site.get("/\(query)")
      XCTAssertEqual(Self.links(in: response.text), links, query)
      XCTAssertFalse(response.text.contains("<script"))
    }
  }

  func test_pageMayDoNothingButWhatItIsFor() throws {
    let plain = try serve().get("/")
    let policy = try XCTUnwrap(plain["Content-Security-Policy"])
    XCTAssertTrue(policy.hasPrefix("default-src 'none'; style-src 'sha256-"), policy)
    XCTAssertFalse(policy.contains("script-src"), policy)
    XCTAssertFalse(plain.text.contains("type=\"file\""))
    let upload = try serve("--upload").get("/")
    let wider = try XCTUnwrap(upload["Content-Security-Policy"])
    XCTAssertTrue(wider.contains("script-src 'sha256-"), wider)
    XCTAssertFalse(wider.contains("unsafe"), wider)
    XCTAssertTrue(upload.text.contains("<input type=\"file\" multiple>"))
  }

  /// The links of the names on a page, in order.
  private static func links(in page: String) -> [String] {
    let names = page.components(separatedBy: "<tbody>").last ?? ""
    return names.components(separatedBy: "href=\"").dropFirst().map {
      String($0.prefix { $0 != "\"" })
    }
  }
}
