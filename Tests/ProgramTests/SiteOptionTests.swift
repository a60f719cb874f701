import Foundation
import Glibc
import TestSupport
import XCTest

final class SiteOptionTests: SiteTestCase {
  func test_filesHaveTheCacheControlOfTheOption_andOtherResponsesDoNot() throws {
    let site = try serve("--cache-control", "public, max-age=60")
    try site.write("text".utf8, to: "file.txt")
    let whole = try site.get("/file.txt")
    XCTAssertEqual(whole["Cache-Control"], "public, max-age=60")
    let tag = try XCTUnwrap(whole["ETag"])
    for (header, code) in [("If-None-Match: \(tag)", 304), ("Range: bytes=0-0", 206)] {
      let response = try site.client().ask("GET", "/file.txt", headers: [header])
      XCTAssertEqual(response.code, code)
      XCTAssertEqual(response["Cache-Control"], "public, max-age=60", header)
    }
    XCTAssertNil(try site.get("/missing")["Cache-Control"])
    XCTAssertEqual(try site.get("/")["Cache-Control"], "no-cache")
  }

  func test_eachResponseHasTheFieldsOfTheOption() throws {
    let site = try serve("--header", "X-One: 1", "--header", "Referrer-Policy:no-referrer")
    try site.write("text".utf8, to: "file.txt")
    for target in ["/file.txt", "/missing", "no target"] {
      let response = try site.get(target)
      XCTAssertEqual(response["X-One"], "1", target)
      XCTAssertEqual(response["Referrer-Policy"], "no-referrer", target)
    }
  }

  func test_otherSitesMayRead_onlyWithTheOption() throws {
    let site = try serve("--cors", "--upload")
    try site.write("text".utf8, to: "file.txt")
    XCTAssertEqual(try site.get("/file.txt")["Access-Control-Allow-Origin"], "*")
    XCTAssertEqual(try site.get("/missing")["Access-Control-Allow-Origin"], "*")
    let preflight = try site.ask("OPTIONS", "/file.txt")
    XCTAssertEqual(preflight.code, 204)
    XCTAssertEqual(preflight["Access-Control-Allow-Methods"], "GET, HEAD")
    let plain = try serve("--upload")
    XCTAssertNil(try plain.get("/missing")["Access-Control-Allow-Origin"])
    let refused = try plain.ask("OPTIONS", "/")
    XCTAssertEqual(refused.code, 405)
    XCTAssertEqual(refused["Allow"], "GET, HEAD, PUT")
  }

  func test_siteBeginsAtItsPrefix() throws {
    let site = try serve("--prefix", "/my/files/", "--upload")
    try site.makeDirectory("sub")
    try site.write("text".utf8, to: "sub/file.txt")
    XCTAssertEqual(try site.get("/my/files/sub/file.txt").text, "text")
    for target in ["/sub/file.txt", "/my/filessub/file.txt", "/my", "/", "/my/files/../sub"] {
      XCTAssertEqual(try site.get(target).code, 404, target)
    }
    let redirect = try site.get("/my/files?a=b")
    XCTAssertEqual(redirect.code, 301)
    XCTAssertEqual(redirect["Location"], "files/?a=b")
    XCTAssertTrue(try site.get("/my/files/").text.contains("<a href=\"sub/\">"))
    XCTAssertTrue(try site.get("/my/files/sub/").text.contains("<h1><a href=\"../\">root</a>"))
    XCTAssertEqual(try site.put("/my/files/new", "new".utf8).code, 201)
    XCTAssertEqual(try site.put("/new", "new".utf8).code, 404)
    XCTAssertEqual(try site.names(), ["new", "sub"])
  }

  func test_directoriesAreNotListed_whenTheOptionForbidsIt() throws {
    let site = try serve("--no-listing")
    try site.makeDirectory("sub")
    XCTAssertEqual(try site.get("/").code, 403)
    XCTAssertEqual(try site.get("/sub").code, 301)
    try site.write("index".utf8, to: "index.html")
    XCTAssertEqual(try site.get("/").text, "index")
  }

  func test_secretNamesAreHidden_andAllOrNoDotfilesByOption() throws {
    let names = [
      ".git", ".GIT", ".env", ".env.local", ".ssh", ".well-known", ".other", ".gitignore",
    ]
    for (option, hidden) in [
      (nil, [".git", ".GIT", ".env", ".env.local", ".ssh"]),
      ("--hide-dotfiles", names.filter { $0 != ".well-known" }), ("--no-hide-dotfiles", []),
    ] {
      let site = try option.map { try serve($0, "--upload") } ?? serve("--upload")
      try site.makeDirectory("sub")
      for name in names {
        try site.makeDirectory(name)
        try site.write("secret".utf8, to: "\(name)/file")
        try site.makeDirectory("sub/\(name)")
        let encoded = name.replacingOccurrences(of: ".", with: "%2e")
        let code = hidden.contains(name) ? 404 : 200
        for target in ["/\(name)/file", "/\(encoded)/file", "//./\(name)//file", "/sub/\(name)/"] {
          XCTAssertEqual(try site.get(target).code, code, "\(target) \(option ?? "")")
        }
        XCTAssertEqual(try site.put("/\(name)/new", [1]).code, code == 200 ? 201 : 404, name)
      }
    }
  }

  func test_applicationPageIsSent_forNamesWithoutAnExtension() throws {
    let site = try serve("--spa", "app.html")
    try site.write("app".utf8, to: "app.html")
    try site.write("text".utf8, to: "file")
    for (target, text) in [("/file", "text"), ("/users/1", "app"), ("/users/1/", "app")] {
      let response = try site.get(target)
      XCTAssertEqual(response.code, 200, target)
      XCTAssertEqual(response.text, text, target)
    }
    for target in ["/missing.js", "/a/missing.png", "/../x", "/.git"] {
      XCTAssertEqual(try site.get(target).code, 404, target)
    }
  }

  func test_pageIsTheContentOf404() throws {
    let site = try serve("--not-found", "errors/404.html", "--upload")
    XCTAssertEqual(try site.get("/missing").text, "Not Found\n")
    try site.makeDirectory("errors")
    try site.write("<p>none".utf8, to: "errors/404.html")
    for target in ["/missing", "/a/b", "/../x", "/.git/config", "/errors/404.html/"] {
      let response = try site.client().ask("GET", target, headers: ["Range: bytes=0-0"])
      XCTAssertEqual(response.code, 404, target)
      XCTAssertEqual(response.text, "<p>none", target)
      XCTAssertEqual(response["Content-Type"], "text/html; charset=utf-8", target)
      XCTAssertNil(response["ETag"], target)
    }
    let client = try site.client()
    XCTAssertEqual(try client.ask("HEAD", "/missing").contentLength, 7)
    XCTAssertEqual(try client.get("/errors/404.html").code, 200)
  }

  func test_requestsForOtherHostsAreRefused() throws {
    let site = try serve("--hosts", "files.example,Other.Example")
    try site.write("text".utf8, to: "file")
    for (host, code) in [
      ("files.example", 200), ("FILES.example:8080", 200), ("other.example.", 200),
      ("localhost:1", 200), ("127.0.0.1", 200), ("[::1]:80", 200), ("evil.example", 421),
      ("files.example.evil", 421), ("127.0.0.1.evil", 421),
    ] {
      let client = try site.client()
      try client.send("GET /file HTTP/1.1\r\nHost: \(host)\r\n\r\n")
      XCTAssertEqual(try client.readResponse().code, code, host)
    }
  }

  func test_logShowsTheAddressThatAProxyAdds_onlyWhenItIsTrusted() throws {
    for (arguments, address) in [
      (["--trust-forwarded-for"], "192.0.2.7"), ([], "127.0.0.1"),
    ] as [([String], String)] {
      let site = try Site(["--access-log", "-"] + arguments)
      let field = "X-Forwarded-For: 198.51.100.1, 192.0.2.7"
      XCTAssertEqual(try site.client().ask("GET", "/one", headers: [field]).code, 404)
      let wrong = "X-Forwarded-For: not an address"
      XCTAssertEqual(try site.client().ask("GET", "/two", headers: [wrong]).code, 404)
      site.server.send(SIGTERM)
      // Standard output, of which the first line was read before.
      let lines = try site.server.waitForEnd().output.split(separator: "\n").dropFirst()
      XCTAssertEqual(lines.count, 2, "\(lines)")
      XCTAssertTrue(lines.first?.hasPrefix("\(address) - - [") ?? false, "\(lines)")
      XCTAssertTrue(lines.last?.hasPrefix("127.0.0.1 - - [") ?? false, "\(lines)")
    }
  }

  func test_optionsAreRefused_whenTheyCannotBeMeant() throws {
    for (arguments, name) in [
      (["--header", "no colon"], "--header"), (["--header", ": value"], "--header"),
      (["--header", "A b: c"], "--header"), (["--header", "A: b\nC: d"], "--header"),
      (["--header", "Content-Length: 1"], "Content-Length"),
      (["--cache-control", "a\nb"], "--cache"),
      (["--prefix", "files"], "--prefix"), (["--prefix", "/a//b"], "--prefix"),
      (["--prefix", "/a/../b"], "--prefix"), (["--spa", "../x"], "--spa"),
      (["--spa", "a/"], "--spa"),
      (["--not-found", ""], "--not-found"),
    ] {
      let outcome = try Program.run(
        "aio-fileserver", ["--root", "/tmp", "--port", "0"] + arguments)
      XCTAssertTrue((1..<124).contains(outcome.status), "\(arguments): \(outcome)")
      XCTAssertTrue(outcome.errors.contains(name), "\(arguments): \(outcome.errors)")
    }
  }

  func test_versionIsPrinted() throws {
    let outcome = try Program.run("aio-fileserver", ["--version"])
    XCTAssertEqual(outcome.status, 0)
    XCTAssertNotNil(outcome.output.range(of: "^[0-9.]+\n$", options: .regularExpression))
  }
}
