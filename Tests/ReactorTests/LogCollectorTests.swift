import Foundation
import Glibc
import Reactor
import SystemPackage
import TestSupport
import XCTest

final class LogCollectorTests: XCTestCase {
  private static let clientCount = 200

  func test_everyLineIsInTheFileOnceAndInOrder_whenCollectorEndsWithClientsOpen() throws {
    let directory = try TemporaryDirectory()
    let collector = try Collector(log: directory.path.appending("log").string)
    defer { collector.kill() }
    let clients = try (0..<Self.clientCount).map { _ in try Client(port: collector.port) }
    for round in 0..<4 { try send(round, by: clients) }
    try send(4, by: clients.dropLast(50))
    // The collector has taken all clients when it has taken the last one, and read its end.
    try send(4, by: clients.suffix(1))
    clients[Self.clientCount - 1].finishSending()
    XCTAssertEqual(try clients[Self.clientCount - 1].readToEnd(), [])

    collector.signal(SIGTERM)
    let open = clients.dropLast()
    for client in open { XCTAssertEqual(try client.readToEnd(), []) }
    // What a client sends after the signal, before it ends, is collected too.
    try send(4, by: open.suffix(49))
    for client in open { client.finishSending() }
    try collector.expectEnd(printing: "1000 lines from 200 clients")
    try expectAllLines(of: clients, in: directory.contents(of: "log"), roundCount: 5)
  }

  func test_noLineIsLostOrDoubled_whenLogIsRenamedAndReopened() throws {
    let directory = try TemporaryDirectory()
    let log = directory.path.appending("log").string
    let old = directory.path.appending("log.1").string
    let collector = try Collector(log: log)
    defer { collector.kill() }
    let clients = try (0..<3).map { _ in try Client(port: collector.port) }
    try send(0, by: clients)
    try FileManager.default.moveItem(atPath: log, toPath: old)
    collector.signal(SIGHUP)
    XCTAssertEqual(try collector.readLine(), "reopened \(log)")
    try send(1, by: clients)
    for client in clients {
      client.finishSending()
      XCTAssertEqual(try client.readToEnd(), [])
    }
    collector.signal(SIGINT)
    try collector.expectEnd(printing: "6 lines from 3 clients")
    let rotated = try directory.contents(of: "log.1")
    let current = try directory.contents(of: "log")
    XCTAssertTrue(current.count > 0)
    try expectAllLines(of: clients, in: rotated + current, roundCount: 2)
  }

  private func send(_ round: Int, by clients: some Sequence<Client>) throws {
    for client in clients { try client.send("line \(round)\n") }
  }

  private func expectAllLines(
    of clients: [Client], in bytes: [UInt8], roundCount: Int
  ) throws {
    var lines: [String: [String]] = [:]
    for line in String(decoding: bytes, as: UTF8.self).split(separator: "\n") {
      let parts = line.split(separator: " ", maxSplits: 1)
      let address = try XCTUnwrap(SocketAddress(String(parts[0])), String(line))
      lines["\(address.port)", default: []].append(String(parts[1]))
    }
    let expected = (0..<roundCount).map { "line \($0)" }
    XCTAssertEqual(
      lines, .init(uniqueKeysWithValues: clients.map { ("\($0.localPort)", expected) }))
  }
}

/// The program, under the deadline of `timeout(1)`, which passes signals on.
private final class Collector {
  let port: UInt16
  private let process: Process
  private let output: FileHandle
  private var unread: [UInt8] = []

  init(log: String) throws {
    process = Process()
    process.executableURL = URL(fileURLWithPath: "/usr/bin/timeout")
    process.arguments = [
      "--foreground", "--signal=KILL", "\(testDeadline.components.seconds)",
      try Program.url("LogCollector").path, "0", log,
    ]
    let pipe = Pipe()
    process.standardOutput = pipe
    output = pipe.fileHandleForReading
    try process.run()
    let line = try Self.line(from: output, &unread)
    let address = SocketAddress(String(line.dropFirst("listening on ".count)))
    port = try XCTUnwrap(address, line).port
  }

  func signal(_ number: Int32) {
    Glibc.kill(process.processIdentifier, number)
  }

  /// Ends it if a test fails before it does.
  func kill() {
    if process.isRunning { process.terminate() }
  }

  func readLine() throws -> String { try Self.line(from: output, &unread) }

  func expectEnd(
    printing expected: String, file: StaticString = #filePath, line: UInt = #line
  ) throws {
    XCTAssertEqual(try readLine(), expected, file: file, line: line)
    process.waitUntilExit()
    XCTAssertEqual(process.terminationReason, .exit, file: file, line: line)
    XCTAssertEqual(process.terminationStatus, 0, file: file, line: line)
  }

  /// Waits for a line; throws at the end of the output.
  private static func line(from output: FileHandle, _ unread: inout [UInt8]) throws -> String {
    while true {
      if let end = unread.firstIndex(of: UInt8(ascii: "\n")) {
        defer { unread.removeSubrange(...end) }
        return String(decoding: unread[..<end], as: UTF8.self)
      }
      let bytes = output.availableData
      guard !bytes.isEmpty else { throw Failure("the collector has ended") }
      unread += bytes
    }
  }
}
