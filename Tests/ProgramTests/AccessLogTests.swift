import Foundation
import Glibc
import SystemPackage
import TestSupport
import XCTest

final class AccessLogTests: SiteTestCase {
  private var folder: TemporaryFolder?

  override func tearDown() {
    super.tearDown()
    folder = nil
  }

  private func makeDirectory() throws -> TemporaryFolder {
    let made = try TemporaryFolder()
    folder = made
    return made
  }

  private func lines(of path: FilePath) throws -> [String] {
    try String(contentsOfFile: path.string, encoding: .utf8).split(separator: "\n").map(String.init)
  }

  func test_eachRequestHasALine() throws {
    let path = try makeDirectory().path.appending("log")
    let site = try serve("--access-log", path.string)
    try site.write("hello".utf8, to: "a b")
    let client = try site.client()
    let referer = "Referer: http://h/\"x\" \\ \u{FC}[0m"
    _ = try client.ask("GET", "/a%20b?q", headers: [referer, "User-Agent: test/1"])
    _ = try client.ask("HEAD", "/a%20b")
    _ = try client.ask("GET", "/missing")
    _ = try client.ask("GET", "/a%20b", headers: ["Range: bytes=1-2"])
    try client.send("GET /\u{1B}[0m HTTP/1.1\r\n\r\n")
    XCTAssertEqual(try client.readResponse().code, 400)
    site.server.send(SIGTERM)
    XCTAssertEqual(try site.server.waitForEnd().status, 0)
    let lines = try lines(of: path)
    let date = "\\[[0-9]{2}/[A-Z][a-z]{2}/[0-9]{4}:[0-9:]{8} \\+0000\\]"
    let patterns = [
      "\"GET /a%20b\\?q HTTP/1.1\" 200 5 "
        + "\"http://h/\\\\\"x\\\\\" \\\\\\\\ \\\\xc3\\\\xbc\\[0m\" \"test/1\"",
      "\"HEAD /a%20b HTTP/1.1\" 200 - \"-\" \"-\"",
      "\"GET /missing HTTP/1.1\" 404 10 \"-\" \"-\"",
      "\"GET /a%20b HTTP/1.1\" 206 2 \"-\" \"-\"",
      // Invalid requests are logged as received, without control codes for a terminal.
      "\"GET /\\\\x1b\\[0m HTTP/1.1\" 400 [0-9]+ \"-\" \"-\"",
    ]
    XCTAssertEqual(lines.count, patterns.count)
    for (line, pattern) in zip(lines, patterns) {
      let whole = "^127.0.0.1 - - \(date) \(pattern)$"
      XCTAssertNotNil(line.range(of: whole, options: .regularExpression), line)
    }
  }

  func test_linesGoToTheNewFile_afterARotation() throws {
    let folder = try makeDirectory()
    let path = folder.path.appending("log")
    let site = try serve("--access-log", path.string)
    XCTAssertEqual(try site.get("/first").code, 404)
    let renamed = folder.path.appending("log.1")
    try FileManager.default.moveItem(atPath: path.string, toPath: renamed.string)
    site.server.send(SIGHUP)
    try repeatUntil("the log is reopened") {
      FileManager.default.fileExists(atPath: path.string)
    }
    var requestCount = 1
    try repeatUntil("a line stands in the new file") {
      requestCount += 1
      _ = try site.get("/later")
      return try !lines(of: path).isEmpty
    }
    site.server.send(SIGTERM)
    XCTAssertEqual(try site.server.waitForEnd().status, 0)
    let (old, new) = (try lines(of: renamed), try lines(of: path))
    XCTAssertTrue(old[0].contains("/first"))
    XCTAssertEqual(old.count + new.count, requestCount)
  }

  func test_filesAreServed_whenTheLogCannotBeWritten() throws {
    let site = try serve("--access-log", "/dev/full")
    try site.write("hello".utf8, to: "file")
    for _ in 0..<50 { XCTAssertEqual(try site.get("/file").text, "hello") }
    site.server.send(SIGHUP)
    for _ in 0..<50 { XCTAssertEqual(try site.get("/file").text, "hello") }
    site.server.send(SIGTERM)
    XCTAssertEqual(try site.server.waitForEnd().status, 0)
    let errors = String(decoding: try site.surroundings.contents(of: "errors"), as: UTF8.self)
    XCTAssertEqual(errors.components(separatedBy: "the access log cannot be written").count, 2)
  }

  func test_serverDoesNotStart_whereTheLogCannotBe() throws {
    let outcome = try Program.run(
      "aio-fileserver", ["--root", "/", "--access-log", "/missing/folder/log", "--port", "0"])
    XCTAssertNotEqual(outcome.status, 0)
    XCTAssertTrue(outcome.errors.contains("cannot write \"/missing/folder/log\""), outcome.errors)
  }
}
