import Foundation
import Glibc
import SystemPackage
import TestSupport
import XCTest

final class ShutDownTests: SiteTestCase {
  private static let largeByteCount = 32 * 1024 * 1024

  func test_runningResponseEndsWholeAndNewClientsAreRefused_onTerminate() throws {
    try assertShutsDownGracefully(on: SIGTERM)
  }

  func test_runningResponseEndsWholeAndNewClientsAreRefused_onInterrupt() throws {
    try assertShutsDownGracefully(on: SIGINT)
  }

  private func assertShutsDownGracefully(on signal: Int32) throws {
    let site = try serve()
    let client = try beginLargeResponse(of: site)
    site.server.send(signal)
    try waitUntilRefused(by: site)
    let wanted = Self.largeByteCount - 3
    XCTAssertEqual(try client.skip(byteCount: wanted), wanted)
    XCTAssertEqual(try client.read(byteCount: 3), Array("end".utf8))
    XCTAssertEqual(try client.readToEnd(), [])
    XCTAssertEqual(try site.server.waitForEnd().status, 0)
  }

  func test_everyRunningResponseEndsWhole() throws {
    let site = try serve()
    let clients = try (0..<4).map { _ in try beginLargeResponse(of: site) }
    site.server.send(SIGTERM)
    for client in clients {
      XCTAssertEqual(try client.skip(byteCount: Self.largeByteCount), Self.largeByteCount)
    }
    for client in clients { XCTAssertEqual(try client.readToEnd(), []) }
    XCTAssertEqual(try site.server.waitForEnd().status, 0)
  }

  func test_idleConnectionHoldsNothingUp() throws {
    let site = try serve()
    let client = try site.client()
    XCTAssertEqual(try client.get("/").code, 200)
    let silent = try site.client()
    site.server.send(SIGTERM)
    XCTAssertEqual(try client.readToEnd(), [])
    // The kernel resets a connection that was closed before it was accepted.
    _ = try silent.skip(byteCount: 1)
    XCTAssertEqual(try site.server.waitForEnd().status, 0)
  }

  func test_secondSignalEndsTheProgramAtOnce() throws {
    let site = try serve()
    let client = try beginLargeResponse(of: site)
    site.server.send(SIGINT)
    try waitUntilRefused(by: site)
    site.server.send(SIGINT)
    XCTAssertEqual(try site.server.waitForEnd().status, 0)
    XCTAssertLessThan(try client.skip(byteCount: .max), Self.largeByteCount)
  }

  func test_outputIsOneLine_fromStartToEnd() throws {
    let site = try serve("--upload")
    try site.write("here".utf8, to: "file")
    XCTAssertGreaterThan(site.server.port, 0)
    let line = "listening on http://127.0.0.1:\(site.server.port)\n"
    XCTAssertEqual(site.server.firstLine, line)
    XCTAssertEqual(try site.get("/file").code, 200)
    XCTAssertEqual(try site.get("/missing").code, 404)
    XCTAssertEqual(try site.put("/missing/file", []).code, 409)
    site.server.send(SIGTERM)
    let (status, output) = try site.server.waitForEnd()
    XCTAssertEqual(status, 0)
    XCTAssertEqual(output, line)
  }

  // MARK: -

  /// Begins a response that ends only if the client continues to read.
  private func beginLargeResponse(of site: Site) throws -> Client {
    try site.setLength(Self.largeByteCount - 3, of: "large")
    let file = try FileDescriptor.open(FilePath(site.path("large")), .writeOnly, options: .append)
    try file.closeAfter { _ = try file.writeAll("end".utf8) }
    let client = try site.client(receiveBufferByteCount: 16 * 1024)
    try client.begin("GET", "/large")
    XCTAssertEqual(try client.readHead().contentLength, Self.largeByteCount)
    return client
  }

  private func waitUntilRefused(by site: Site) throws {
    try repeatUntil("new clients are refused") {
      do {
        _ = try site.client()
        return false
      } catch Errno.connectionRefused {
        return true
      } catch Errno.connectionReset {
        // The connection was closed after the kernel accepted it and before the server did.
        return false
      }
    }
  }
}
