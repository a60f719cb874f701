import Foundation
import Reactor
import SystemPackage
import TestSupport
import XCTest

final class EchoSnippetTests: XCTestCase {
  func test_echoServerSendsLinesBack_andHasThemInItsLog() throws {
    try exchange(with: "EchoServer")
  }

  func test_asyncEchoServerSendsLinesBack_andHasThemInItsLog() throws {
    try exchange(with: "AsyncEchoServer")
  }

  private func exchange(with program: String) throws {
    let folder = try TemporaryDirectory()
    try folder.write("before\n".utf8, to: "log")
    let server = Process()
    // It passes the signal for a graceful shutdown on, once, and ends a server that hangs.
    server.executableURL = URL(fileURLWithPath: "/usr/bin/timeout")
    let seconds = "\(testDeadline.components.seconds)"
    server.arguments = [
      "--foreground", "--signal=KILL", seconds, try Program.url(program).path, "0",
      folder.path.appending("log").string,
    ]
    let output = Pipe()
    server.standardOutput = output
    try server.run()
    defer { server.terminate() }
    let line = try XCTUnwrap(
      String(bytes: output.fileHandleForReading.availableData, encoding: .utf8))
    let text = line.dropFirst("listening on ".count).dropLast()
    let address = try XCTUnwrap(SocketAddress(String(text)), line)

    // One after the other, so that the order in the log is known.
    let first = try talk(to: address, ["a line\nand ha", "lf of one\n"])
    let second = try talk(to: address, [String(repeating: "x", count: 50_000), "\nlast\n"])
    server.terminate()
    server.waitUntilExit()
    XCTAssertEqual(server.terminationReason, .exit)
    XCTAssertEqual(server.terminationStatus, 0)
    XCTAssertEqual(output.fileHandleForReading.readDataToEndOfFile().count, 0)
    XCTAssertTrue(
      try folder.contents(of: "log") == Array("before\n".utf8) + first + second)
  }

  /// Sends pieces, the next one when something has come back or a moment has passed, and returns
  /// what came back when it is as much.
  private func talk(to address: SocketAddress, _ pieces: [String]) throws -> [UInt8] {
    let loop = try EventLoop()
    let expected = Array(pieces.joined().utf8)
    var received: [UInt8] = []
    Connection.connect(to: address, on: loop) { result in
      guard case .success(let connection) = result else {
        XCTFail("\(result)")
        return loop.stop()
      }
      connection.onReceive = { connection, bytes in
        received += Array(bytes)
        if received.count >= expected.count { connection.close() }
        return bytes.byteCount
      }
      connection.onClose = { _, _ in loop.stop() }
      for (index, piece) in pieces.enumerated() {
        loop.schedule(after: .milliseconds(5) * index) {
          expectNoThrow { try connection.write(piece.utf8) }
        }
      }
    }
    loop.runUntilStopped()
    XCTAssertTrue(received == expected)
    return received
  }
}
