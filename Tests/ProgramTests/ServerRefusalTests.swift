import Foundation
import SystemPackage
import TestSupport
import XCTest

/// Requests that the HTTP server refuses itself are logged and counted like other responses.
final class ServerRefusalTests: SiteTestCase {
  private struct Refusal {
    let request: String
    let code: Int
    /// The request line in the log.
    let line: String
  }

  private static let refusals = [
    Refusal(request: "nonsense\r\n\r\n", code: 400, line: "nonsense"),
    Refusal(request: "GET  / HTTP/1.1\r\n\r\n", code: 400, line: "GET  / HTTP/1.1"),
    Refusal(request: "GET / HTTP/1.1\r\n\r\n", code: 400, line: "GET / HTTP/1.1"),
    Refusal(
      request: "GET /\" HTTP/1.1\r\nHost: a\r\nHost: b\r\n\r\n", code: 400,
      line: "GET /\\\" HTTP/1.1"),
    Refusal(
      request: "GET /\(String(repeating: "a", count: 70_000)) HTTP/1.1\r\n", code: 414,
      line: "GET /aaaa"),
    Refusal(
      request: "GET /long HTTP/1.1\r\nHost: x\r\nX: \(String(repeating: "a", count: 70_000))\r\n",
      code: 431, line: "GET /long HTTP/1.1"),
    Refusal(
      request: "PUT /e HTTP/1.1\r\nHost: x\r\nExpect: wonders\r\n\r\n", code: 417,
      line: "PUT /e HTTP/1.1"),
    Refusal(
      request: "PUT /t HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: gzip, chunked\r\n\r\n", code: 501,
      line: "PUT /t HTTP/1.1"),
    Refusal(request: "GET /v HTTP/2.0\r\nHost: x\r\n\r\n", code: 505, line: "GET /v HTTP/2.0"),
    Refusal(
      request: "PUT /big HTTP/1.1\r\nHost: x\r\nContent-Length: 1001\r\n\r\n", code: 413,
      line: "PUT /big HTTP/1.1"),
    Refusal(request: "GET /slow HTTP/1.1\r\nHost: ", code: 408, line: "GET /slow HTTP/1.1"),
  ]

  func test_eachHasALineAndIsCounted() throws {
    let folder = try TemporaryDirectory()
    let log = folder.path.appending("log").string
    let site = try serve(
      "--upload", "--max-upload", "1000", "--request-timeout", "1", "--stats", "--access-log", log)
    for refusal in Self.refusals {
      let client = try site.client()
      _ = client.trySend(refusal.request)
      let response = try client.readResponse()
      XCTAssertEqual(response.code, refusal.code, refusal.line)
      XCTAssertEqual(response["Connection"], "close", refusal.line)
      XCTAssertEqual(try client.readToEnd(), [], refusal.line)
    }
    try assertCounted(site)
    site.server.send(SIGTERM)
    XCTAssertEqual(try site.server.waitForEnd().status, 0)
    let lines = try String(contentsOfFile: log, encoding: .utf8).split(separator: "\n")
    for refusal in Self.refusals {
      let mark = "\"\(refusal.line)"
      let found = lines.filter { $0.contains(mark) && $0.contains("\" \(refusal.code) ") }
      XCTAssertEqual(found.count, 1, "\(refusal.line) in \(lines)")
    }
  }

  private func assertCounted(_ site: Site) throws {
    let json = try site.get("/_stats.json")
    let object = try JSONSerialization.jsonObject(with: Data(json.body)) as? [String: Any]
    let samples = try XCTUnwrap(object?["responses_total"] as? [[String: Any]])
    var counts: [Int: Int] = [:]
    for sample in samples {
      let status = try XCTUnwrap(sample["status"] as? String)
      counts[try XCTUnwrap(Int(status))] = sample["value"] as? Int
    }
    var expected: [Int: Int] = [:]
    for refusal in Self.refusals { expected[refusal.code, default: 0] += 1 }
    XCTAssertEqual(counts, expected)
  }
}
