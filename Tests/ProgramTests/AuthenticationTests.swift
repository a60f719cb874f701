import Foundation
import TestSupport
import XCTest

@testable import FileServer

final class AuthenticationTests: SiteTestCase {
  private static let secretHash =
    "$5$rounds=1000$abcdefgh$XIppta5rT8zJUu4vAOKQXrwq9uY4Ijlz6VjyOmkx5i4"

  func test_passwordMatchesItsHash_andNoOther() throws {
    // From `openssl passwd -5` and -6, crypt(3), and `htpasswd -B`.
    for (password, text) in [
      ("Hello world!", "$5$saltstring$5B8vYYiY.CVt1RlTTf8KbXBH3hsxY/GNooZaBBGWEc5"),
      ("secret", Self.secretHash), ("", "$5$x$yHbtfs4Y8t6X1xcJemNX.4JQRfUTafA2qQenWGLBee2"),
      (
        "a much longer password than a block of SHA-256, with ünïcödé in it, 1234567890",
        "$5$rounds=1000$ef$mFVdtgtZUQcLaySRttnGA9DU2N4DfxD8KluBI753wH2"
      ),
      (
        "secret",
        "$6$abcdefgh$ltjgWl6579NluT/Vi1nwEvcil.G5Nbc4NiXZaNGStk8PSwGfQv72N2CKPPrVACtLtip/"
          + "cZ/1GM/O6IND4WQhG."
      ),
      ("secret", "$2y$05$abcdefghijklmnopqrstuuOQiyCxlgf/oeuTqixKmWdcYUh4Hjl0a"),
      ("secret", "$y$j9T$abcdefgh$IUWJt2doU4Kf6E/JP1UkAT3S5O3Q7SSA8SJirXIlEu9"),
    ] {
      let hash = try XCTUnwrap(PasswordHash(text), text)
      XCTAssertTrue(hash.matches(Array(password.utf8)), password)
      XCTAssertFalse(hash.matches(Array((password + "x").utf8)), password)
    }
  }

  func test_otherTextsAreNoHashes() {
    for text in ["", "secret", "xx", "*", "$", "$5", "$9$salt$hash", "5$x$y"] {
      XCTAssertNil(PasswordHash(text), text)
    }
  }

  func test_passwordsOfAnyBytesMatchNothing() throws {
    let hash = try XCTUnwrap(PasswordHash(Self.secretHash))
    let secret = Array("secret".utf8)
    for password in [secret + [0], [0], [], [255, 254], [UInt8](repeating: 1, count: 100_000)] {
      XCTAssertFalse(hash.matches(password), "\(password.prefix(10))")
    }
    // The end of the hash is missing.
    let short = PasswordHash(String(Self.secretHash.dropLast()))
    XCTAssertNotEqual(short?.matches(secret), true)
  }

  func test_fieldHoldsUserAndPassword() {
    for (field, user, password) in [
      ("Basic dTpw", "u", "p"), ("basic  dTpwOnE=", "u", "p:q"), ("BASIC dTo=", "u", ""),
    ] {
      let authorization = BasicAuthorization(field)
      XCTAssertEqual(authorization?.user, user, field)
      XCTAssertEqual(authorization?.password, Array(password.utf8), field)
    }
    for field in ["", "Basic", "Bearer dTpw", "Basic dXA=", "Basic d*pw", "Basic dTpw x"] {
      XCTAssertNil(BasicAuthorization(field), field)
    }
  }

  func test_requestsNeedThePassword_whateverTheyAskFor() throws {
    let site = try serve("--auth", "user:\(Self.secretHash)", "--upload", "--stats")
    try site.write("text".utf8, to: "file")
    let client = try site.client()
    for target in ["/file", "/", "/missing", "/metrics"] {
      let response = try client.get(target)
      XCTAssertEqual(response.code, 401, target)
      XCTAssertTrue(response["WWW-Authenticate"]?.hasPrefix("Basic realm=") ?? false, target)
    }
    for pair in ["user:wrong", "other:secret", "user:", "user:secretx", "User:secret"] {
      XCTAssertEqual(try ask(client, "GET", "/file", as: pair).code, 401, pair)
    }
    // More than once, as a browser sends it.
    for _ in 0..<3 {
      XCTAssertEqual(try ask(client, "GET", "/file", as: "user:secret").text, "text")
    }
    XCTAssertEqual(try ask(client, "PUT", "/new", as: "user:secret", body: [1]).code, 201)
    XCTAssertEqual(try site.put("/other", [1]).code, 401)
    XCTAssertEqual(try site.names(), ["file", "new"])
  }

  func test_onlyUploadsNeedThePassword_withTheOption() throws {
    let surroundings = try TemporaryDirectory()
    try surroundings.write("# users\n\nuser:\(Self.secretHash)\n".utf8, to: "users")
    let site = try serve(
      "--auth-file", "\(surroundings.path)/users", "--auth-uploads-only", "--upload")
    try site.write("text".utf8, to: "file")
    XCTAssertEqual(try site.get("/file").text, "text")
    XCTAssertEqual(try site.put("/file", "new".utf8).code, 401)
    let client = try site.client()
    let code = try ask(client, "PUT", "/file", as: "user:secret", body: Array("new".utf8)).code
    XCTAssertEqual(code, 204)
    XCTAssertEqual(try site.text(of: "file"), "new")
  }

  func test_manyClientsAreChecked_atOnce() throws {
    let site = try serve("--auth", "user:\(Self.secretHash)")
    try site.write("text".utf8, to: "file")
    let clients = try (0..<20).map { _ in try site.client() }
    for (index, client) in clients.enumerated() {
      let pair = index % 2 == 0 ? "user:secret" : "user:wrong"
      try client.begin("GET", "/file", headers: [Self.field(pair)])
    }
    for (index, client) in clients.enumerated() {
      XCTAssertEqual(try client.readResponse().code, index % 2 == 0 ? 200 : 401, "\(index)")
    }
  }

  func test_startIsRefused_withUsersThatCannotBeMeant() throws {
    let surroundings = try TemporaryDirectory()
    try surroundings.write("user:plain".utf8, to: "users")
    for (arguments, name) in [
      (["--auth", "user:plain"], "--auth"), (["--auth", ":\(Self.secretHash)"], "--auth"),
      (["--auth-file", "\(surroundings.path)/users"], "users"),
      (["--auth-file", "\(surroundings.path)/none"], "none"),
      (["--auth-uploads-only"], "--auth-uploads-only"),
    ] {
      let outcome = try Program.run(
        "aio-fileserver", ["--root", "/tmp", "--port", "0"] + arguments)
      XCTAssertTrue((1..<124).contains(outcome.status), "\(arguments): \(outcome)")
      XCTAssertTrue(outcome.errors.contains(name), "\(arguments): \(outcome.errors)")
      XCTAssertFalse(outcome.errors.contains("plain"), outcome.errors)
    }
  }

  private static func field(_ pair: String) -> String {
    "Authorization: Basic " + Data(pair.utf8).base64EncodedString()
  }

  private func ask(
    _ client: Client, _ method: String, _ target: String, as pair: String, body: [UInt8]? = nil
  ) throws -> Response {
    try client.ask(method, target, headers: [Self.field(pair)], body: body)
  }
}
