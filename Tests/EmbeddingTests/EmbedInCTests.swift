import SystemPackage
import TestSupport
import XCTest

/// Examples/EmbedInC: a server in C that gets its files from a loop in its own event base.
final class EmbedInCTests: XCTestCase {
  func test_serverServesFilesOnlyWhileItHasFileIO_andItsBaseIsAsItWasAfterwards() throws {
    let (server, folder) = (try LineServer(), try TemporaryDirectory())
    let client = try server.connect()
    let bytes = (0..<200_000).map { UInt8(truncatingIfNeeded: $0 &* 31) }
    try folder.write(bytes, to: "file")
    let path = folder.path.appending("file").string
    let events = try client.ask("events")
    XCTAssertEqual(try client.ask(path), path, "there is no file IO yet")

    // Twice: what was given back can be had again.
    for _ in 0..<2 {
      XCTAssertEqual(try client.ask("open"), "opened")
      XCTAssertNotEqual(try client.ask("events"), events)
      XCTAssertEqual(try client.ask(path), "ok \(bytes.count)")
      XCTAssertTrue(try client.read(byteCount: bytes.count) == bytes)
      XCTAssertEqual(
        try client.ask(path + ".none"), "error \(Errno.noSuchFileOrDirectory.rawValue)")
      XCTAssertEqual(try client.ask("a line"), "a line")

      XCTAssertEqual(try client.ask("close"), "closed")
      XCTAssertEqual(try client.ask("events"), events)
      XCTAssertEqual(try client.ask(path), path)
    }
    XCTAssertEqual(server.end(), 0)
  }

  func test_eachLineIsAnsweredOnce_whenFileIOEndsWhileFilesAreRead() throws {
    let (server, folder) = (try LineServer(), try TemporaryDirectory())
    let (client, other) = (try server.connect(), try server.connect())
    try folder.write([1, 2, 3], to: "file")
    let path = folder.path.appending("file").string
    XCTAssertEqual(try client.ask("open"), "opened")
    for _ in 0..<100 {
      try client.send(path)
      try other.send("close")
      let answer = try client.readLine()
      // The other's line may have been the first.
      if answer != path {
        XCTAssertEqual(answer, "ok 3")
        XCTAssertEqual(try client.read(byteCount: 3), [1, 2, 3])
      }
      XCTAssertEqual(try other.readLine(), "closed")
      XCTAssertEqual(try other.ask("open"), "opened")
    }
    XCTAssertEqual(server.end(), 0)
  }

  func test_serverEnds_whenItIsToldToWhileFilesAreRead() throws {
    let (server, folder) = (try LineServer(), try TemporaryDirectory())
    let client = try server.connect()
    try folder.write([UInt8](repeating: 1, count: 1 << 20), to: "file")
    XCTAssertEqual(try client.ask("open"), "opened")
    for _ in 0..<100 { try client.send(folder.path.appending("file").string) }
    // The first of them is on its way.
    _ = try client.readLine()
    XCTAssertEqual(server.end(), 0)
  }
}
