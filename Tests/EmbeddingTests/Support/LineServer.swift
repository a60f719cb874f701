import Foundation
import Reactor
import TestSupport
import XCTest

/// A running EmbedInC.
final class LineServer {
  private let process = Process()
  private let output = Pipe()
  private let address: SocketAddress

  /// Starts the program and waits until it listens.
  init() throws {
    // It passes the polite signal on, once, and ends a server that hangs.
    process.executableURL = URL(fileURLWithPath: "/usr/bin/timeout")
    let seconds = "\(testDeadline.components.seconds)"
    process.arguments = [
      "--foreground", "--signal=KILL", seconds, try Program.url("EmbedInC").path, "0",
    ]
    process.standardOutput = output
    try process.run()
    let line = String(decoding: output.fileHandleForReading.availableData, as: UTF8.self)
    let text = line.dropFirst("listening on ".count).dropLast()
    address = try XCTUnwrap(SocketAddress(String(text)), line)
  }

  deinit {
    if process.isRunning { process.terminate() }
  }

  func connect() throws -> LineClient { try LineClient(address) }

  /// Tells it to end.
  ///
  /// - Returns: Its exit status.
  func end() -> Int32 {
    process.terminate()
    process.waitUntilExit()
    return process.terminationStatus
  }
}

/// Sends lines, and waits for what comes back.
final class LineClient {
  private let loop: EventLoop
  private let connection: Connection
  private var received: [UInt8] = []

  init(_ address: SocketAddress) throws {
    let loop = try EventLoop()
    var result: Result<Connection, SocketError>?
    Connection.connect(to: address, on: loop) { result = $0 }
    loop.run(until: { result != nil }, timeout: testDeadline)
    self.loop = loop
    connection = try XCTUnwrap(result).get()
    connection.onReceive = { [unowned self] _, bytes in
      received += unsafe bytes.withUnsafeBytes { unsafe Array($0) }
      return bytes.byteCount
    }
  }

  deinit { loop.close() }

  func send(_ line: String) throws {
    try connection.write("\(line)\n".utf8)
  }

  func readLine() throws -> String {
    let newline = UInt8(ascii: "\n")
    try wait { received.contains(newline) }
    let line = received.prefix { $0 != newline }
    received.removeFirst(line.count + 1)
    return String(decoding: line, as: UTF8.self)
  }

  func read(byteCount: Int) throws -> [UInt8] {
    try wait { received.count >= byteCount }
    defer { received.removeFirst(byteCount) }
    return Array(received.prefix(byteCount))
  }

  /// Sends a line, and waits for the line that comes back.
  func ask(_ line: String) throws -> String {
    try send(line)
    return try readLine()
  }

  private func wait(until condition: () -> Bool) throws {
    guard loop.run(until: condition, timeout: testDeadline) else { throw Failure.deadline }
  }

  private enum Failure: Error {
    case deadline
  }
}
