import Foundation
import SystemPackage
import TestSupport
import XCTest

/// Passwords, and requests of browsers.
final class SecurityTests: KeyValueTestCase {
  private let authenticationRequired = RedisReply.error("NOAUTH Authentication required.")
  private let wrongPassword = RedisReply.error(
    "WRONGPASS invalid username-password pair or user is disabled.")

  func test_httpRequestIsRejected_andItsBodyDoesNotRun() throws {
    let site = try serve()
    let other = try site.client()
    XCTAssertEqual(try other.ask("SET", "a", "1"), .ok)
    for head in ["POST / HTTP/1.1\r\nHost: test", "PUT / HTTP/1.1\r\nhost: test"] {
      let client = try site.client()
      _ = client.client.trySend("\(head)\r\nContent-Length: 12\r\n\r\n\r\nFLUSHALL\r\n")
      XCTAssertLessThan(try client.client.skip(byteCount: 1000), 1000)
      XCTAssertEqual(try other.ask("DBSIZE"), 1)
    }
    XCTAssertEqual(
      try site.errors().components(separatedBy: "it sent an HTTP request").count - 1, 1,
      "one message a minute")
  }

  func test_commandsNeedThePassword() throws {
    let client = try serve("--requirepass", "secret").client()
    for words in ["GET a", "SET a 1", "PING", "INFO", "CLIENT ID"] {
      XCTAssertEqual(try client.line(words), authenticationRequired, words)
    }
    XCTAssertEqual(try client.line("AUTH wrong"), wrongPassword)
    XCTAssertEqual(try client.line("AUTH secretsecret"), wrongPassword)
    XCTAssertEqual(try client.line("AUTH other secret"), wrongPassword)
    XCTAssertEqual(try client.line("AUTH a b c"), .error("ERR syntax error"))
    XCTAssertEqual(try client.line("GET a"), authenticationRequired)
    XCTAssertEqual(try client.line("AUTH secret"), .ok)
    XCTAssertEqual(try client.line("GET a"), nil)
    XCTAssertEqual(try client.line("AUTH default secret"), .ok)
    XCTAssertEqual(try client.line("AUTH wrong"), wrongPassword)
    XCTAssertEqual(try client.line("GET a"), nil)
  }

  func test_passwordOfTheEnvironmentIsNeeded_too() throws {
    let site = try serve { _ in ["/usr/bin/env", "AIO_KV_REQUIREPASS=secret"] }
    let client = try site.client()
    XCTAssertEqual(try client.line("GET a"), authenticationRequired)
    XCTAssertEqual(try client.line("AUTH secret"), .ok)
    XCTAssertEqual(try client.line("GET a"), nil)
  }

  func test_authIsAnError_whenThereIsNoPassword() throws {
    let client = try serve().client()
    XCTAssertEqual(
      try client.line("AUTH secret"),
      .error(
        "ERR AUTH <password> called without any password configured for the default user. "
          + "Are you sure your configuration is correct?"))
    XCTAssertEqual(try client.line("AUTH default secret"), .ok)
  }

  func test_largeRequestsAreRefused_beforeThePasswordIsGiven() throws {
    let site = try serve("--requirepass", "secret")
    for (bytes, reason) in [
      ("*11\r\n", "unauthenticated multibulk length"),
      ("*1\r\n$16385\r\n", "unauthenticated bulk length"),
    ] {
      let client = try site.client()
      try client.client.send(bytes)
      XCTAssertEqual(try client.readReply(), .error("ERR Protocol error: \(reason)"))
    }
    let client = try site.client()
    XCTAssertEqual(try client.line("AUTH secret"), .ok)
    XCTAssertEqual(try client.ask("SET", "a", String(repeating: "v", count: 20_000)), .ok)
    XCTAssertEqual(try client.line("DEL a b c d e f g h i j k l"), 1)
  }

  func test_otherAddressesThanLoopbackNeedAPasswordOrAnOption() throws {
    let directory = try TemporaryDirectory()
    let arguments = ["--dir", directory.path.string, "--port", "0", "--host", "0.0.0.0"]
    let refused = try Program.run("aio-kv", arguments)
    XCTAssertEqual(refused.status, 1)
    XCTAssertTrue(
      refused.errors.contains("without a password aio-kv listens on loopback only"),
      refused.errors)
    for option in [["--no-password"], ["--requirepass", "secret"]] {
      let site = try KeyValueSite(["--host", "0.0.0.0"] + option)
      XCTAssertEqual(try site.client().line("AUTH default secret"), .ok)
    }
  }
}
