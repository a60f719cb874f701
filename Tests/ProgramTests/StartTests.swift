import TestSupport
import XCTest

final class StartTests: SiteTestCase {
  func test_startIsRefusedInOneLine_whenTheRootCannotBeServed() throws {
    let folder = try TemporaryDirectory()
    try folder.write([], to: "file")
    for name in ["missing", "file", "missing/deep"] {
      try assertRefused(["--root", "\(folder.path)/\(name)", "--port", "0"], naming: name)
    }
    try assertRefused(["--root", "", "--port", "0"], naming: "\"\"")
    try assertRefused(["--root", "two\nlines", "--port", "0"], naming: "lines")
  }

  func test_startIsRefusedInOneLine_whenThePortIsInUse() throws {
    let site = try serve()
    let port = "\(site.server.port)"
    try assertRefused(["--root", "/tmp", "--port", port], naming: "127.0.0.1:\(port)")
  }

  func test_startIsRefused_whenAnotherServerSharesItsPortAmongThreads() throws {
    let site = try serve("--threads", "2")
    let port = "\(site.server.port)"
    for threads in ["1", "2"] {
      try assertRefused(
        ["--root", "/tmp", "--port", port, "--threads", threads], naming: "127.0.0.1:\(port)")
    }
    try site.write("mine".utf8, to: "file")
    for _ in 0..<20 { XCTAssertEqual(try site.get("/file").text, "mine") }
  }

  func test_startIsRefusedInOneLine_whenTheHostDoesNotResolve() throws {
    try assertRefused(
      ["--root", "/tmp", "--port", "0", "--host", "no-such-host.invalid"],
      naming: "no-such-host.invalid")
  }

  func test_startIsRefusedInOneLine_whenTheAddressIsNotOurs() throws {
    // TEST-NET-1, RFC 5737.
    try assertRefused(
      ["--root", "/tmp", "--port", "0", "--host", "192.0.2.1"], naming: "192.0.2.1")
  }

  func test_startIsRefusedInOneLine_withBadArguments() throws {
    try assertRefused([], naming: "--root")
    try assertRefused(["--root"], naming: "--root")
    for (arguments, name) in [
      (["--frobnicate"], "--frobnicate"), (["--port"], "--port"), (["--port", "65536"], "65536"),
      (["--port", "-1"], "--port"), (["--port=-1"], "-1"), (["--port", "http"], "http"),
      (["extra"], "extra"), (["one", "two"], "two"), (["--max-upload=-1"], "--max-upload"),
      (["--max-upload", "much"], "much"), (["--max-upload", "99999999999999999999"], "99999"),
      (["--upload=yes"], "--upload"),
      (["--open-files=-1"], "--open-files"), (["--open-files", "\(Int.max)"], "--open-files"),
      (["--open-file-validity=-1"], "--open-file-validity"),
      (["--open-file-validity", "3601"], "3600"),
      (["--max-connections-per-address", "0"], "--max-connections-per-address"),
    ] {
      try assertRefused(["--root", "/tmp"] + arguments, naming: name)
    }
  }

  func test_serverStarts_withAnyUploadLimit() throws {
    for limit in [Int.max, Int.max / 2, 1 << 40] {
      let outcome = try Program.run(
        "aio-fileserver", ["--root", "/missing", "--port", "0", "--max-upload", "\(limit)"])
      // Either the limit is refused, or the server reaches its root and works with the limit.
      guard outcome.errors.contains("/missing") else { continue }
      let site = try serve("--upload", "--max-upload", "\(limit)")
      XCTAssertEqual(try site.put("/file", "new".utf8).code, 201, "\(limit)")
    }
  }

  func test_helpSaysWhatUploadsCost_andThatIsNoFailure() throws {
    let outcome = try Program.run("aio-fileserver", ["--help"])
    XCTAssertEqual(outcome.status, 0)
    XCTAssertEqual(outcome.errors, "")
    let words = outcome.output.split(whereSeparator: \.isWhitespace).joined(separator: " ")
    XCTAssertTrue(words.contains("not held in memory"), words)
    for option in ["--root", "--host", "--port", "--upload", "--max-upload"] {
      XCTAssertTrue(words.contains(option), option)
    }
  }

  private func assertRefused(
    _ arguments: [String], naming name: String, file: StaticString = #filePath, line: UInt = #line
  ) throws {
    let outcome = try Program.run("aio-fileserver", arguments)
    XCTAssertTrue((1..<124).contains(outcome.status), "\(outcome)", file: file, line: line)
    XCTAssertEqual(outcome.output, "", file: file, line: line)
    XCTAssertTrue(outcome.errors.hasSuffix("\n"), outcome.errors, file: file, line: line)
    XCTAssertEqual(
      outcome.errors.split(separator: "\n", omittingEmptySubsequences: false).count, 2,
      outcome.errors, file: file, line: line)
    XCTAssertTrue(outcome.errors.hasPrefix("aio-fileserver: "), file: file, line: line)
    XCTAssertTrue(outcome.errors.contains(name), outcome.errors, file: file, line: line)
  }
}
