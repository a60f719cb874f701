import Foundation
import TestSupport
import XCTest

/// Requests for files outside the root, in every known way.
final class EscapeTests: SiteTestCase {
  func test_nothingOutsideIsSent_byATarget() throws {
    let site = try serve()
    try site.makeDirectory("sub")
    try site.write("inside".utf8, to: "file")
    let targets = [
      "/..", "/../", "/../secret", "/../../../../../../../etc/passwd", "/sub/../../secret",
      "/sub/..", "/./../secret", "//../secret", "/....//secret", "/..;/secret",
      "/%2e%2e/secret", "/%2E%2E/secret", "/.%2e/secret", "/%2e./secret", "/%2e%2e",
      "/..%2fsecret", "/..%2Fsecret", "/%2e%2e%2fsecret", "/sub%2f..%2f..%2fsecret",
      "/sub/..%2f../secret", "/%252e%252e/secret", "/..%5csecret", "/..\\secret",
      "/%c0%ae%c0%ae/secret", "/../root/../secret", "/../root/file",
      "//etc/passwd", "///etc/passwd", "/%2fetc/passwd", "/%2fetc%2fpasswd", "/etc/passwd",
      "/\(site.outside)/secret", "/%2f\(site.outside)/secret",
      "http://h/../secret", "http://h/%2e%2e/secret", "http://h//etc/passwd",
      "http://h/..%2fsecret", "file:///etc/passwd", "http:///../secret",
      "/%00", "/file%00", "/file%00.html", "/..%00/secret", "/../secret%00", "/%00/../secret",
      "/%", "/%2", "/%zz", "/file%", "/file%2", "/%2e%2", "/%2e%2e%2fsecret%", "/%u002e/secret",
      "/proc/self/root/etc/passwd", "/dev/fd/0",
    ]
    for target in targets { try assertRefused(target, by: site, [400, 403, 404]) }
  }

  func test_nothingOutsideIsSent_byATargetThatDoesNotBeginWithASlash() throws {
    let site = try serve()
    try site.write("inside".utf8, to: "file")
    for target in ["../secret", "secret", "..", "%2e%2e/secret", "*", "?", "\\..\\secret"] {
      try assertRefused(target, by: site, [400, 403, 404])
    }
  }

  func test_nothingOutsideIsSent_byASymbolicLink() throws {
    let site = try serve()
    try site.makeDirectory("sub")
    try site.makeLink("absolute", to: "\(site.outside)/secret")
    try site.makeLink("relative", to: "../secret")
    try site.makeLink("sub/deep", to: "../../secret")
    try site.makeLink("there-and-back", to: "../root/sub")
    try site.makeLink("folder", to: "..")
    try site.makeLink("absolute-folder", to: site.outside)
    try site.makeLink("chain", to: "sub/deep")
    try site.makeLink("process", to: "/proc/self/root")
    try site.makeLink("loop", to: "loop")
    try site.makeLink("nowhere", to: "missing")
    let targets = [
      "/absolute", "/relative", "/sub/deep", "/there-and-back", "/there-and-back/", "/folder",
      "/folder/", "/folder/secret", "/absolute-folder", "/absolute-folder/",
      "/absolute-folder/secret", "/chain", "/process/etc/passwd", "/loop", "/nowhere",
    ]
    for target in targets { try assertRefused(target, by: site, [403, 404]) }
  }

  func test_indexOutsideIsNotSent() throws {
    let site = try serve()
    try site.makeLink("index.html", to: "../secret")
    try assertRefused("/", by: site, [403, 404])
  }

  func test_symbolicLinkIsFollowed_whenItStaysInside() throws {
    let site = try serve()
    try site.makeDirectory("sub")
    try site.write("inside".utf8, to: "file")
    try site.makeLink("link", to: "file")
    try site.makeLink("sub/up", to: "../file")
    try site.makeLink("folder", to: "sub")
    for target in ["/link", "/sub/up", "/folder/up"] {
      XCTAssertEqual(try site.get(target).text, "inside", target)
    }
    XCTAssertEqual(try site.get("/folder")["Location"], "folder/")
  }

  // MARK: Uploads

  func test_nothingOutsideIsWritten_byATarget() throws {
    let site = try serve("--upload")
    try site.makeDirectory("sub")
    let targets = [
      "/..", "/../new", "/../secret", "/sub/../../new", "/%2e%2e/new", "/..%2fnew",
      "/sub%2f..%2f..%2fsecret", "/new%00", "/../new%00", "/%", "/new%", "/%zz", "http://h/../new",
      "\(site.outside)/new", "/\(site.outside)/new", "/%2ftmp/new", "/", "/.",
      "/sub/..",
    ]
    for target in targets { try assertUploadRefused(target, to: site) }
    XCTAssertEqual(try site.names(), ["sub"])
    XCTAssertEqual(try site.names(in: "sub"), [])
  }

  func test_nothingOutsideIsWritten_ThroughASymbolicLinkToADirectory() throws {
    let site = try serve("--upload")
    try site.makeLink("relative", to: "..")
    try site.makeLink("absolute", to: site.outside)
    try site.makeLink("root", to: "../root")
    for target in ["/relative/new", "/relative/secret", "/absolute/new", "/root/new"] {
      try assertUploadRefused(target, to: site)
    }
    XCTAssertEqual(try site.names(), ["absolute", "relative", "root"])
  }

  func test_uploadTakesThePlaceOfASymbolicLink_andLeavesItsGoalAlone() throws {
    let site = try serve("--upload")
    try site.makeLink("link", to: "../secret")
    XCTAssertEqual(try site.put("/link", "new".utf8).code, 204)
    XCTAssertEqual(try site.get("/link").text, "new")
    try site.assertSurroundingsUntouched()
  }

  // MARK: -

  private func assertRefused(
    _ target: String, by site: Site, _ codes: [Int], file: StaticString = #filePath,
    line: UInt = #line
  ) throws {
    let client = try site.client()
    try client.begin("GET", target, headers: ["Connection: close"])
    let bytes = try client.readToEnd()
    let code = Response(head: String(decoding: bytes, as: UTF8.self)).code
    XCTAssertTrue(codes.contains(code), "\(target) gave \(code)", file: file, line: line)
    for outside in [Site.secret, "root:x:0:", "secret"] {
      XCTAssertFalse(bytes.contains(outside), target, file: file, line: line)
    }
  }

  private func assertUploadRefused(
    _ target: String, to site: Site, file: StaticString = #filePath, line: UInt = #line
  ) throws {
    let code = try site.put(target, "new".utf8).code
    XCTAssertTrue(
      [403, 404, 409].contains(code), "\(target) gave \(code)", file: file, line: line)
    try site.assertSurroundingsUntouched(file: file, line: line)
  }
}
