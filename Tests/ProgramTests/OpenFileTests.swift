import Foundation
import Glibc
import SystemPackage
import TestSupport
import XCTest

/// Files that the program keeps open. A validity of an hour means that a file is not checked again.
final class OpenFileTests: SiteTestCase {
  func test_fileThatIsReplacedIsSentAsItWas_forAMomentOnly() throws {
    let site = try serve("--open-file-validity", "1")
    try site.write("old".utf8, to: "file")
    let client = try site.client()
    XCTAssertEqual(try client.get("/file").text, "old")
    try replace("file", of: site, by: "new")
    try repeatUntil("the new file is sent") {
      let text = try client.get("/file").text
      return try XCTUnwrap(["old", "new"].contains(text) ? text : nil) == "new"
    }
    try FileManager.default.removeItem(atPath: site.path("file"))
    try repeatUntil("the file is gone") { try client.get("/file").code == 404 }
  }

  func test_fileIsNotLookedAtAgain_withinTheValidity() throws {
    let site = try serve("--open-file-validity", "3600")
    try site.write("old".utf8, to: "file")
    let first = try site.get("/file")
    XCTAssertEqual(try site.get("/missing").code, 404)
    try replace("file", of: site, by: "longer")
    try site.write("made".utf8, to: "missing")
    let second = try site.get("/file")
    XCTAssertEqual(second.text, "old")
    XCTAssertEqual(second["ETag"], first["ETag"])
    XCTAssertEqual(try site.get("/missing").code, 404)
  }

  func test_changeIsSeenAtOnce_whereNothingIsKept() throws {
    let site = try serve("--open-files", "0", "--open-file-validity", "3600")
    try site.write("old".utf8, to: "file")
    XCTAssertEqual(try site.get("/file").text, "old")
    XCTAssertEqual(try site.get("/missing").code, 404)
    try replace("file", of: site, by: "new")
    try site.write("made".utf8, to: "missing")
    XCTAssertEqual(try site.get("/file").text, "new")
    XCTAssertEqual(try site.get("/missing").text, "made")
    try repeatUntil("no file is open") { try self.openFileCount(of: site) == 0 }
  }

  func test_uploadIsSeenAtOnce_byWhateverNameItIsAskedFor() throws {
    let site = try serve("--upload", "--open-file-validity", "3600")
    try site.makeDirectory("sub")
    let client = try site.client()
    for target in ["/file", "/a%20b", "/sub/file"] {
      XCTAssertEqual(try client.get(target).code, 404, target)
      XCTAssertEqual(try client.put(target, "first".utf8).code, 201, target)
      XCTAssertEqual(try client.get(target).text, "first", target)
      XCTAssertEqual(try client.put(target, "second".utf8).code, 204, target)
      XCTAssertEqual(try client.get(target).text, "second", target)
    }
    for folder in ["/", "/sub/"] {
      XCTAssertTrue(try client.get(folder).text.contains("<table>"), folder)
      XCTAssertEqual(try client.put(folder + "index.html", "index".utf8).code, 201, folder)
      XCTAssertEqual(try client.get(folder).text, "index", folder)
    }
  }

  func test_precompressedFileIsSeenAtOnce_whenItIsUploaded() throws {
    let site = try serve("--upload", "--open-file-validity", "3600")
    let client = try site.client()
    XCTAssertEqual(try client.put("/page.html", "plain".utf8).code, 201)
    let gzip = ["Accept-Encoding: gzip"]
    XCTAssertNil(try client.ask("GET", "/page.html", headers: gzip)["Content-Encoding"])
    XCTAssertEqual(try client.put("/page.html.gz", "packed".utf8).code, 201)
    let response = try client.ask("GET", "/page.html", headers: gzip)
    XCTAssertEqual(response["Content-Encoding"], "gzip")
    XCTAssertEqual(response.text, "packed")
    XCTAssertEqual(try client.get("/page.html").text, "plain")
  }

  func test_conditionOfAnUploadIsOfTheFileAsItIs() throws {
    let site = try serve("--upload", "--open-file-validity", "3600")
    try site.write("old".utf8, to: "file")
    let client = try site.client()
    let tag = try XCTUnwrap(try client.get("/file")["ETag"])
    try replace("file", of: site, by: "somebody else's")
    let response = try client.ask(
      "PUT", "/file", headers: ["If-Match: \(tag)"], body: Array("mine".utf8))
    XCTAssertEqual(response.code, 412)
    XCTAssertEqual(try site.text(of: "file"), "somebody else's")
  }

  func test_responseIsCut_whenTheFileHasShrunkSinceItWasLookedAt() throws {
    let site = try serve("--open-file-validity", "3600")
    try site.setLength(1_000_000, of: "file")
    XCTAssertEqual(try site.ask("HEAD", "/file").contentLength, 1_000_000)
    try site.setLength(200_000, of: "file")
    let client = try site.client()
    try client.begin("GET", "/file")
    XCTAssertEqual(try client.readHead().contentLength, 1_000_000)
    XCTAssertLessThanOrEqual(try client.skip(byteCount: 1_000_000), 200_000)
    // Bytes appended after the open are not sent, because the length was already announced.
    try site.setLength(2_000_000, of: "file")
    XCTAssertEqual(try site.get("/file").body.count, 1_000_000)
  }

  // MARK: - Limits

  func test_noMoreFilesAreKeptThanTheLimitSays() throws {
    let site = try serve("--open-files", "10", "--open-file-validity", "3600", "--stats")
    let client = try site.client()
    for index in 0..<200 {
      try site.write("\(index)".utf8, to: "\(index)")
      XCTAssertEqual(try client.get("/\(index)").text, "\(index)")
    }
    for _ in 0..<5 { XCTAssertEqual(try client.get("/199").text, "199") }
    try repeatUntil("10 files are open") { try self.openFileCount(of: site) == 10 }
    let figures = try client.get("/metrics").text.split(separator: "\n").map(String.init)
    for line in [
      "aio_fileserver_open_file_hits_total{loop=\"0\"} 5",
      "aio_fileserver_open_file_misses_total{loop=\"0\"} 200",
      "aio_fileserver_open_files{loop=\"0\"} 10",
      "aio_fileserver_open_file_names{loop=\"0\"} 0",
    ] {
      XCTAssertTrue(figures.contains(line), line)
    }
  }

  func test_clientsGetIn_whenThereAreFewDescriptors() throws {
    let site = try serve("--open-file-validity", "3600") { _ in
      ["/bin/sh", "-c", "ulimit -n 64 && exec \"$0\" \"$@\""]
    }
    for index in 0..<200 { try site.write("\(index)".utf8, to: "\(index)") }
    for index in 0..<200 { XCTAssertEqual(try site.get("/\(index)").text, "\(index)") }
    try repeatUntil("a quarter of the descriptors is kept") {
      try self.openFileCount(of: site) == 16
    }
  }

  func test_serverEnds_whateverIsKept() throws {
    for signalCount in [1, 2] {
      let site = try serve("--open-file-validity", "3600", "--threads", "2")
      try site.write("text".utf8, to: "file")
      for _ in 0..<20 {
        XCTAssertEqual(try site.get("/file").text, "text")
        XCTAssertEqual(try site.get("/missing").code, 404)
      }
      for _ in 0..<signalCount { site.server.send(SIGTERM) }
      XCTAssertEqual(try site.server.waitForEnd().status, 0)
    }
  }

  // MARK: -

  /// Moves another file to the name.
  private func replace(_ name: String, of site: Site, by text: String) throws {
    try site.write(text.utf8, to: "new file")
    guard unsafe rename(site.path("new file"), site.path(name)) == 0 else {
      throw Errno(rawValue: errno)
    }
  }

  /// The number of files in its directory that the server has open.
  private func openFileCount(of site: Site) throws -> Int {
    try site.server.descriptors().count { $0.hasPrefix("\(site.root)/") }
  }
}
