import SystemPackage
import TestSupport
import XCTest

/// A log on a disk of 1 MiB, which only the server sees.
final class FullDiskLogTests: KeyValueTestCase {
  func test_writesAreRefusedReadsGoOnAndNothingIsLost_whenTheDiskIsFull() throws {
    let site = try serveSmallDisk()
    let client = try site.client()
    let value = String(repeating: "v", count: 50_000)
    var count = 0
    var refusal: String?
    try repeatUntil("the disk was full") {
      refusal = try client.ask("SET", "key:\(count)", value).errorText
      if refusal == nil { count += 1 }
      return refusal != nil
    }
    XCTAssertEqual(
      refusal,
      "MISCONF The log cannot be written: No space left on device. "
        + "Writes are refused; reads continue."
    )
    // The disk is full because of data, not because of a preallocation.
    XCTAssertGreaterThan(count, 18)
    XCTAssertEqual(try client.ask("GET", "key:\(count)"), nil)
    XCTAssertEqual(try client.ask("DBSIZE"), .integer(count))
    for index in 0..<count { XCTAssertEqual(try client.ask("STRLEN", "key:\(index)"), 50_000) }

    // A small one has room still, once the torn end is cut.
    try repeatUntil("the log was repaired") { try client.ask("SET", "small", "1") == .ok }
    // There is room again when the log is rewritten; the new one needs some beside the old.
    XCTAssertEqual(try client.ask(["DEL"] + (0..<count).map { "key:\($0)" }), .integer(count))
    try repeatUntil("the log was rewritten") {
      _ = try client.ask("BGREWRITEAOF")
      return try client.ask("SET", "key:0", value) == .ok
    }
    XCTAssertEqual(try client.ask("GET", "small"), "1")
    XCTAssertEqual(try client.ask("STRLEN", "key:0"), 50_000)
  }

  func test_logIsRewritten_althoughAClientGoesOnFailing() throws {
    let site = try serveSmallDisk()
    let client = try site.client()
    let value = String(repeating: "v", count: 50_000)
    for _ in 0..<3 {
      for index in 0..<4 { XCTAssertEqual(try client.ask("SET", "key:\(index)", value), .ok) }
    }
    // 600 KB of 1 MiB, of which a new log needs 200 KB; this one client takes all the rest.
    let tooMuch = RedisClient.request(["SET", "big", String(repeating: "v", count: 900_000)])
    let failing = try site.client()
    try failing.client.send(tooMuch + tooMuch)
    XCTAssertNotNil(try client.ask("BGREWRITEAOF"))
    try repeatUntil("the log was rewritten") {
      try failing.client.send(tooMuch)
      XCTAssertNotNil(try failing.readReply().errorText)
      return try site.errors().contains("rewrote the log")
    }
    // The last of the failing requests may be with the log still.
    try repeatUntil("changes were accepted") { try client.ask("SET", "small", "1") == .ok }
    for index in 0..<4 { XCTAssertEqual(try client.ask("STRLEN", "key:\(index)"), 50_000) }
  }

  func test_repliesOfAFailedBatchAreErrors_andLaterReadsDoNotShowItsChanges() throws {
    let site = try serveSmallDisk()
    let client = try site.client()
    XCTAssertEqual(try client.ask("SET", "key", "old"), .ok)
    let tooMuch = String(repeating: "v", count: 2_000_000)
    let get = RedisClient.request(["GET", "key"])
    try client.client.send(
      RedisClient.request(["SET", "key", "new"]) + get
        + RedisClient.request(["SET", "big", tooMuch])
        + RedisClient.request(["ECHO", "x"]))
    let replies = try (0..<4).map { _ in try client.readReply() }
    // The first two may have been a batch of their own.
    XCTAssertTrue(
      replies[0] == .ok && replies[1] == "new"
        || replies[0].errorText != nil && replies[1].errorText != nil, "\(replies)")
    XCTAssertTrue(replies[2].errorText?.hasPrefix("MISCONF") ?? false)
    XCTAssertEqual(replies[3], "x")
    XCTAssertEqual(try client.ask("GET", "key"), replies[0] == .ok ? "new" : "old")
    XCTAssertEqual(try client.ask("EXISTS", "big"), 0)
  }

  private func serveSmallDisk() throws -> KeyValueSite {
    try serve { directory in
      let mount = "mount -t tmpfs -o size=1m,mode=755 none \"$0\" && exec \"$@\""
      let launcher = ["/usr/bin/unshare", "--mount", "/bin/sh", "-c", mount, directory.string]
      guard try Command.run(launcher + ["/bin/true"]) == 0 else {
        throw XCTSkip("mounting a tmpfs in a namespace of its own is not allowed here")
      }
      return launcher
    }
  }
}
