import Foundation
import Glibc
import SystemPackage
import TestSupport
import XCTest

/// Statistics and threads.
final class StatisticsTests: SiteTestCase {
  func test_statisticsPathsAreFiles_byDefault() throws {
    let site = try serve()
    for target in ["/_stats", "/_stats.json", "/metrics"] {
      XCTAssertEqual(try site.get(target).code, 404, target)
    }
    try site.write("mine".utf8, to: "metrics")
    XCTAssertEqual(try site.get("/metrics").text, "mine")
  }

  func test_statisticsAreShown_inThreeForms() throws {
    let site = try serve("--stats")
    try site.write("hello".utf8, to: "file")
    let client = try site.client()
    XCTAssertEqual(try client.get("/file").code, 200)
    XCTAssertEqual(try client.get("/missing").code, 404)
    let text = try client.get("/metrics")
    XCTAssertEqual(text["Content-Type"], "text/plain; version=0.0.4; charset=utf-8")
    let lines = text.text.split(separator: "\n").map(String.init)
    for line in [
      "# TYPE aio_fileserver_responses_total counter",
      "aio_fileserver_responses_total{status=\"200\"} 1",
      "aio_fileserver_responses_total{status=\"404\"} 1",
      "aio_fileserver_sent_bytes_total{loop=\"0\"} 15",
      "aio_fileserver_connections{loop=\"0\"} 1",
    ] {
      XCTAssertTrue(lines.contains(line), "\(line) in \(text.text)")
    }
    let form =
      "^(# (HELP|TYPE) .+|aio_fileserver_[a-z_]+"
      + "(\\{[a-z]+=\"[^\"]*\"(,[a-z]+=\"[^\"]*\")*\\})? [0-9.e+-]+)$"
    for line in lines {
      XCTAssertNotNil(line.range(of: form, options: .regularExpression), line)
    }
    let json = try client.get("/_stats.json")
    let object = try JSONSerialization.jsonObject(with: Data(json.body)) as? [String: Any]
    XCTAssertNotNil(object?["responses_total"])
    XCTAssertNotNil(object?["queue_service_seconds"])
    let page = try client.get("/_stats")
    XCTAssertTrue(page.text.contains("http-equiv=\"refresh\""))
    XCTAssertNotNil(page["Content-Security-Policy"])
  }

  func test_summaryHasTheSumAndTheNumberOfItsTimes() throws {
    let site = try serve("--stats", "--upload")
    // Writes and syncs always go to glibc, whatever the page cache contains.
    XCTAssertEqual(try site.put("/file", "hello".utf8).code, 201)
    let lines = try site.get("/metrics").text.split(separator: "\n")
    let summaries = lines.filter { $0.hasPrefix("# TYPE ") && $0.hasSuffix(" summary") }
      .map { $0.split(separator: " ")[2] }
    XCTAssertTrue(summaries.contains("aio_fileserver_queue_service_seconds"), "\(summaries)")
    for name in summaries {
      let values = try ["_sum", "_count"].map { suffix in
        let start = "\(name)\(suffix){loop=\"0\"} "
        let line = try XCTUnwrap(lines.first { $0.hasPrefix(start) }, start)
        return try XCTUnwrap(Double(line.dropFirst(start.count)), "\(line)")
      }
      if values[1] == 0 { XCTAssertEqual(values[0], 0, "\(name)") }
      // No disk operation takes zero time.
      if name.hasSuffix("_queue_service_seconds") { XCTAssertGreaterThan(values[0], 0) }
    }
  }

  func test_allThreadsServe_andAreShownOnOnePage() throws {
    let site = try serve("--threads", "3", "--stats")
    try site.write("hello".utf8, to: "file")
    let clients = try (0..<60).map { _ in try site.client() }
    for client in clients { XCTAssertEqual(try client.get("/file").text, "hello") }
    let text = try site.get("/metrics").text
    XCTAssertTrue(text.contains("aio_fileserver_responses_total{status=\"200\"} 60\n"), text)
    for loop in 0..<3 {
      // One of 60 clients reaches each loop: the chance that a loop gets none is (2/3)^60, which
      // never happens.
      let line = text.split(separator: "\n").first {
        $0.hasPrefix("aio_fileserver_sent_bytes_total{loop=\"\(loop)\"}")
      }
      XCTAssertNotNil(line)
      XCTAssertNotEqual(line?.split(separator: " ").last, "0")
    }
    site.server.send(SIGTERM)
    XCTAssertEqual(try site.server.waitForEnd().status, 0)
  }

  func test_logOfAllThreadsIsWhole() throws {
    let folder = try TemporaryDirectory()
    let path = folder.path.appending("log").description
    let site = try serve("--threads", "3", "--access-log", path)
    for _ in 0..<60 { XCTAssertEqual(try site.get("/missing").code, 404) }
    site.server.send(SIGTERM)
    XCTAssertEqual(try site.server.waitForEnd().status, 0)
    let log = try String(contentsOfFile: path, encoding: .utf8)
    XCTAssertEqual(log.components(separatedBy: "\"GET /missing HTTP/1.1\" 404").count, 61)
  }
}
