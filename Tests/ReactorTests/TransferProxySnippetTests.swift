import Foundation
import Reactor
import Synchronization
import SystemPackage
import TestSupport
import XCTest

final class TransferProxySnippetTests: XCTestCase {
  private static let clientCount = 4

  func test_proxyFetchesAFileOnce_andSendsItWithoutItsUpstream() throws {
    let source = try TemporaryDirectory()
    let cache = try TemporaryDirectory()
    let random = try XCTUnwrap(FileHandle(forReadingAtPath: "/dev/urandom"))
    let bytes = Array(try XCTUnwrap(random.read(upToCount: 3_000_000)))
    XCTAssertEqual(bytes.count, 3_000_000)
    try source.write(bytes, to: "file")
    try source.write([], to: "empty")

    let upstream = try Server([source.path.string])
    let proxy = try Server([cache.path.string, "\(upstream.address)"])
    XCTAssertTrue(try responses(of: proxy).allSatisfy { $0 == ok(bytes) })
    XCTAssertTrue(try cache.contents(of: "file") == bytes)
    XCTAssertTrue(try proxy.get("empty") == ok([]))
    try assertError(proxy, "missing", "No such file or directory")
    try assertError(proxy, "../file", "Invalid cross-device link")

    XCTAssertEqual(try upstream.end(), ["GET file", "GET empty"])
    XCTAssertTrue(try responses(of: proxy).allSatisfy { $0 == ok(bytes) })
    try assertError(proxy, "missing", "Connection refused")
    XCTAssertEqual(try proxy.end().count, 2 * Self.clientCount + 1)
  }

  func test_proxyRefusesNamesThatAreNotFilesOfItsDirectory() throws {
    let parent = try TemporaryDirectory()
    try parent.write("secret".utf8, to: "file")
    let directory = parent.path.appending("cache")
    try FileManager.default.createDirectory(
      atPath: directory.string, withIntermediateDirectories: false)
    try FileManager.default.createSymbolicLink(
      atPath: directory.appending("link").string, withDestinationPath: "../file")
    // The upstream is this test, which listens and would let a fetch wait.
    let loop = try EventLoop()
    let listener = try Listener(on: loop, .loopback(port: 0))
    let proxy = try Server([directory.string, "\(listener.address)"])
    let names = ["../file", "\(parent.path)/file", "link", ".", "..", "", "no/../file", "a\0b"]
    for name in names { try assertError(proxy, name) }
    XCTAssertEqual(try proxy.end(), [])
  }

  func test_proxyPublishesNothing_whenTheUpstreamEndsEarly() throws {
    let cache = try TemporaryDirectory()
    let loop = try EventLoop()
    let listener = try Listener(on: loop, .loopback(port: 0))
    let proxy = try Server([cache.path.string, "\(listener.address)"])
    let client = try Client(port: proxy.address.port)
    try client.send("GET file\n")
    client.finishSending()
    listener.onConnection = { connection in
      expectNoThrow { try connection.write("OK 1000\nnot all of it".utf8) }
      connection.onClose = { _, _ in loop.stop() }
      connection.close()
    }
    loop.runUntilStopped()
    XCTAssertTrue(String(decoding: try client.readToEnd(), as: UTF8.self).hasPrefix("ERROR "))
    XCTAssertEqual(try FileManager.default.contentsOfDirectory(atPath: cache.path.string), [])
    XCTAssertEqual(try proxy.end(), [])
  }

  private func ok(_ bytes: [UInt8]) -> [UInt8] { Array("OK \(bytes.count)\n".utf8) + bytes }

  /// The responses to clients that ask for the same file at once.
  private func responses(of server: Server) throws -> [[UInt8]] {
    let port = server.address.port
    let results = Mutex<[Result<[UInt8], any Error>]>([])
    DispatchQueue.concurrentPerform(iterations: Self.clientCount) { _ in
      let result = Result { try Server.get("file", port: port) }
      results.withLock { $0.append(result) }
    }
    let responses = try results.withLock { $0 }.map { try $0.get() }
    XCTAssertEqual(responses.count, Self.clientCount)
    return responses
  }

  private func assertError(_ server: Server, _ name: String, _ reason: String = "") throws {
    let response = String(decoding: try server.get(name), as: UTF8.self)
    XCTAssertTrue(response.hasPrefix("ERROR "), "\(name): \(response)")
    XCTAssertTrue(response.hasSuffix("\(reason)\n"), "\(name): \(response)")
  }
}

/// A process of the program, ended at the latest with its last reference.
private final class Server {
  let address: SocketAddress
  private let process = Process()
  private let output = Pipe()

  init(_ arguments: [String]) throws {
    // It passes the signal for a graceful shutdown on, and ends a server that hangs.
    process.executableURL = URL(fileURLWithPath: "/usr/bin/timeout")
    let seconds = "\(testDeadline.components.seconds)"
    process.arguments =
      ["--foreground", "--signal=KILL", seconds, try Program.url("TransferProxy").path, "0"]
      + arguments
    process.standardOutput = output
    try process.run()
    let line = String(decoding: output.fileHandleForReading.availableData, as: UTF8.self)
    let text = line.dropFirst("listening on ".count).dropLast()
    guard let address = SocketAddress(String(text)) else {
      process.terminate()
      throw Failure("\(line) is no address")
    }
    self.address = address
  }

  deinit { process.terminate() }

  /// The whole response to a request.
  func get(_ name: String) throws -> [UInt8] { try Self.get(name, port: address.port) }

  static func get(_ name: String, port: UInt16) throws -> [UInt8] {
    let client = try Client(port: port)
    try client.send("GET \(name)\n")
    return try client.readToEnd()
  }

  /// Ends it gracefully.
  ///
  /// - Returns: The lines that it printed after its address.
  func end() throws -> [String] {
    process.terminate()
    process.waitUntilExit()
    guard process.terminationReason == .exit, process.terminationStatus == 0 else {
      throw Failure("the server ended with \(process.terminationStatus)")
    }
    let bytes = output.fileHandleForReading.readDataToEndOfFile()
    return String(decoding: bytes, as: UTF8.self).split(separator: "\n").map(String.init)
  }
}
