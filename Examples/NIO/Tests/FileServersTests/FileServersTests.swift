import Foundation
import HTTP1Files
import Hummingbird
import HummingbirdCore
import HummingbirdFiles
import Logging
import NIOCore
import NIOPosix
import SystemPackage
import XCTest

/// Both servers: what they send is what the files hold.
final class FileServersTests: XCTestCase {
  private static let sizes = [0, 1, 4096, 65_536, 100_000, 1024 * 1024 + 1]
  private var group: MultiThreadedEventLoopGroup!
  private var directory = ""

  override func setUpWithError() throws {
    group = MultiThreadedEventLoopGroup(numberOfThreads: 2)
    directory = NSTemporaryDirectory() + "nio-file-servers-\(getpid())"
    let root = URL(fileURLWithPath: directory + "/root")
    try FileManager.default.createDirectory(at: root, withIntermediateDirectories: true)
    try Data("secret".utf8).write(to: URL(fileURLWithPath: directory + "/secret"))
    for size in Self.sizes {
      try Data(bytes(size)).write(to: root.appendingPathComponent("\(size).bin"))
    }
    try? FileManager.default.createSymbolicLink(
      atPath: root.path + "/link", withDestinationPath: "../secret")
  }

  override func tearDownWithError() throws {
    try group.syncShutdownGracefully()
    try FileManager.default.removeItem(atPath: directory)
  }

  private func bytes(_ count: Int) -> [UInt8] {
    (0..<count).map { UInt8(truncatingIfNeeded: $0 &* 31 &+ $0 >> 8) }
  }

  func test_plainServerSendsItsFiles() async throws {
    let channel = try await FileServer.start(
      root: FilePath(directory + "/root"), port: 0, group: group
    ).get()
    try check(port: try XCTUnwrap(channel.localAddress?.port))
    try await channel.close()
  }

  func test_hummingbirdSendsItsFiles() async throws {
    try await withHummingbird(.http1OnEventLoops()) { try check(port: $0) }
  }

  func test_hummingbirdSendsItsFiles_fromTasksOnNoLoop() async throws {
    try await withHummingbird(.http1()) { try check(port: $0) }
  }

  private func withHummingbird(
    _ server: HTTPServerBuilder, _ body: (Int) throws -> Void
  ) async throws {
    var logger = Logger(label: "test")
    logger.logLevel = .critical
    let router = Router()
    router.add(
      middleware: FileMiddleware(
        fileProvider: LoopFiles(root: FilePath(directory + "/root"), eventLoops: group)))
    let (ports, running) = AsyncStream.makeStream(of: Int.self)
    let application = Application(
      router: router, server: server,
      configuration: .init(address: .hostname("127.0.0.1", port: 0)),
      onServerRunning: { channel in
        running.yield(channel.localAddress?.port ?? 0)
        running.finish()
      }, eventLoopGroupProvider: .shared(group), logger: logger)
    let task = Task { try await application.run() }
    var found: Int?
    for await port in ports { found = port }
    try body(try XCTUnwrap(found))
    task.cancel()
    _ = try? await task.value
  }

  private func check(port: Int) throws {
    let client = try TestClient(port: port)
    for size in Self.sizes {
      let response = try client.request("GET", "/\(size).bin")
      XCTAssertEqual(response.status, 200)
      XCTAssertTrue(response.body == bytes(size), "\(size)")
      let head = try client.request("HEAD", "/\(size).bin")
      XCTAssertEqual(head.status, 200)
      XCTAssertEqual(head.fields["content-length"], "\(size)")
    }
    for (range, expected) in [
      ("0-0", 0..<1), ("5-99999", 5..<100_000), ("90000-", 90_000..<100_000),
    ] {
      let part = try client.request("GET", "/100000.bin", ["range": "bytes=\(range)"])
      XCTAssertEqual(part.status, 206)
      XCTAssertTrue(part.body == Array(bytes(100_000)[expected]), range)
      XCTAssertEqual(
        part.fields["content-range"],
        "bytes \(expected.lowerBound)-\(expected.upperBound - 1)/100000")
    }
    XCTAssertEqual(try client.request("GET", "/missing").status, 404)
    // A link that leads out of the directory.
    XCTAssertEqual(try client.request("GET", "/link").status, 404)
    let outside = try TestClient(port: port).request("GET", "/../secret")
    XCTAssertTrue([400, 404].contains(outside.status))
    try checkThatClientsMayLeave(port)
  }

  private func checkThatClientsMayLeave(_ port: Int) throws {
    for _ in 0..<20 {
      let client = try TestClient(port: port)
      client.send("GET", "/1048577.bin")
      try client.receive()
    }
    let response = try TestClient(port: port).request("GET", "/1048577.bin")
    XCTAssertTrue(response.body == bytes(1_048_577))
    // The files of those that left are closed when the servers notice.
    let deadline = Date() + 60
    while openFileCount() > 0, Date() < deadline {
      XCTAssertEqual(try TestClient(port: port).request("GET", "/1.bin").status, 200)
    }
    XCTAssertEqual(openFileCount(), 0)
  }

  private func openFileCount() -> Int {
    let numbers = (try? FileManager.default.contentsOfDirectory(atPath: "/proc/self/fd")) ?? []
    return numbers.count { number in
      let path = try? FileManager.default.destinationOfSymbolicLink(
        atPath: "/proc/self/fd/\(number)")
      return path?.hasSuffix(".bin") == true
    }
  }
}
