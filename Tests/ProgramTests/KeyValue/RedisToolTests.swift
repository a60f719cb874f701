import Foundation
import TestSupport
import XCTest

/// Redis's own clients, as people have them. From Debian's redis-tools.
final class RedisToolTests: KeyValueTestCase {
  func test_redisCli() throws {
    let site = try serve()
    XCTAssertEqual(try run("redis-cli", site, "SET", "key", "a value"), "OK\n")
    XCTAssertEqual(try run("redis-cli", site, "GET", "key"), "a value\n")
    XCTAssertEqual(try run("redis-cli", site, "--raw", "INCRBY", "n", "5"), "5\n")
    XCTAssertEqual(try run("redis-cli", site, "--scan", "--pattern", "k*"), "key\n")
    XCTAssertTrue(try run("redis-cli", site, "INFO").contains("# Keyspace"))
    XCTAssertTrue(try run("redis-cli", site, "COMMAND").contains("incrby"))
  }

  func test_redisBenchmark() throws {
    let site = try serve()
    for pipeline in ["1", "16"] {
      let statistics = try run(
        "redis-benchmark", site, "-t", "ping,set,get,incr,mset", "-n", "2000", "-c", "20", "-r",
        "1000", "-P", pipeline, "--csv")
      for test in ["PING_INLINE", "PING_MBULK", "SET", "GET", "INCR", "MSET (10 keys)"] {
        XCTAssertTrue(statistics.contains("\"\(test)\""), statistics)
      }
    }
    try site.crash()
    XCTAssertGreaterThan(try XCTUnwrap(try site.client().ask("DBSIZE").integer), 1000)
  }

  private func run(_ tool: String, _ site: KeyValueSite, _ arguments: String...) throws -> String {
    let path = "/usr/bin/\(tool)"
    guard FileManager.default.isExecutableFile(atPath: path) else {
      throw XCTSkip("\(tool) is not here; it is in Debian's redis-tools")
    }
    let process = Process()
    process.executableURL = URL(fileURLWithPath: "/usr/bin/timeout")
    process.arguments =
      ["--signal=KILL", "\(testDeadline.components.seconds)", path, "-p", "\(site.server.port)"]
      + arguments
    let output = Pipe()
    process.standardInput = FileHandle.nullDevice
    process.standardOutput = output
    try process.run()
    let bytes = output.fileHandleForReading.readDataToEndOfFile()
    process.waitUntilExit()
    XCTAssertEqual(process.terminationStatus, 0, tool)
    return String(decoding: bytes, as: UTF8.self)
  }
}
